/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a request went, as its own end of the connection saw it:
 *
 *     first byte of the request --- receive ---> its last byte --- wait ---> the program has read
 *     it --- program ---> first byte of the final response --- send ---> its last byte
 *
 * On the server's side the program is the server, and `wait` is how long the request lay in the
 * socket: it is known while system calls are counted. Else `program` begins with the last byte. On
 * the client's side `receive` is the time of sending the request, `program` that of the network and
 * the server, and `send` that of receiving the response; there is no `wait`.
 *
 * Stages that are known one after the other add up to the time of the request. A stage is not known
 * if one of its ends was not seen. If the response began before the request had ended, the two
 * overlap, and neither `receive` nor `program` means anything.
 */
#ifndef SIDELIGHT_TXN_STAGES_H
#define SIDELIGHT_TXN_STAGES_H

#include <stdint.h>

enum stage { STAGE_RECEIVE, STAGE_WAIT, STAGE_PROGRAM, STAGE_SEND, STAGE_MAX };

#define STAGE_UNKNOWN UINT64_MAX

struct stages {
	uint64_t ns[STAGE_MAX]; /* by enum stage; STAGE_UNKNOWN */
};

/* Times are as in struct transaction: 0 for what is not known. */
static inline struct stages stages_of(uint64_t start_ns, uint64_t request_end_ns, uint64_t read_ns,
				      uint64_t first_byte_ns, uint64_t end_ns)
{
	struct stages s = {{STAGE_UNKNOWN, STAGE_UNKNOWN, STAGE_UNKNOWN, STAGE_UNKNOWN}};
	uint64_t program_ns = request_end_ns;

	if (first_byte_ns)
		s.ns[STAGE_SEND] = end_ns - first_byte_ns;
	if (!request_end_ns || (first_byte_ns && request_end_ns > first_byte_ns))
		return s;
	s.ns[STAGE_RECEIVE] = request_end_ns - start_ns;
	if (read_ns >= request_end_ns && (!first_byte_ns || read_ns <= first_byte_ns)) {
		program_ns = read_ns;
		s.ns[STAGE_WAIT] = read_ns - request_end_ns;
	}
	if (first_byte_ns)
		s.ns[STAGE_PROGRAM] = first_byte_ns - program_ns;
	return s;
}

/* A static string: "receive", "wait", "program", "send". */
static inline const char *stage_name(enum stage stage)
{
	static const char *const names[STAGE_MAX] = {"receive", "wait", "program", "send"};

	return names[stage];
}

#endif
