/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a request went, as its own end of the connection saw it:
 *
 *     first byte of the request --- receive ---> its last byte --- program --->
 *     first byte of the final response --- send ---> last byte of the response
 *
 * On the server's side the program is the server. On the client's side `receive` is the time of
 * sending the request, `program` that of the network and the server, and `send` that of receiving
 * the response.
 *
 * Stages that are known one after the other add up to the time of the request. A stage is not known
 * if one of its ends was not seen. If the response began before the request had ended, the two
 * overlap, and neither `receive` nor `program` means anything.
 */
#ifndef SIDELIGHT_TXN_STAGES_H
#define SIDELIGHT_TXN_STAGES_H

#include <stdint.h>

enum stage { STAGE_RECEIVE, STAGE_PROGRAM, STAGE_SEND, STAGE_MAX };

#define STAGE_UNKNOWN UINT64_MAX

struct stages {
	uint64_t ns[STAGE_MAX]; /* by enum stage; STAGE_UNKNOWN */
};

/* Times are as in struct transaction: 0 for what is not known. */
static inline struct stages stages_of(uint64_t start_ns, uint64_t request_end_ns,
				      uint64_t first_byte_ns, uint64_t end_ns)
{
	struct stages s = {{STAGE_UNKNOWN, STAGE_UNKNOWN, STAGE_UNKNOWN}};

	if (first_byte_ns)
		s.ns[STAGE_SEND] = end_ns - first_byte_ns;
	if (!request_end_ns || (first_byte_ns && request_end_ns > first_byte_ns))
		return s;
	s.ns[STAGE_RECEIVE] = request_end_ns - start_ns;
	if (first_byte_ns)
		s.ns[STAGE_PROGRAM] = first_byte_ns - request_end_ns;
	return s;
}

/* A static string: "receive", "program", "send". */
static inline const char *stage_name(enum stage stage)
{
	static const char *const names[STAGE_MAX] = {"receive", "program", "send"};

	return names[stage];
}

#endif
