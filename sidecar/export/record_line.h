/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded request as a line of NDJSON: the fields of transaction_text.h, of which timeout_ns is
 * never known, and
 *
 *     receive_ns   number  first to last byte of the request (see txn/stages.h)
 *     wait_ns      number  to when the program had read it, while system calls are counted
 *     program_ns   number  from there to the first byte of the response
 *     send_ns      number  first to last byte of the response
 *     round_trip_ns number of the connection, smoothed
 *     container    string  "" outside of a Pod
 *     process      number  that wrote the response (server) or the request (client), and
 *     thread       number  its thread, in the PID namespace of sidelight
 *     is_cut       bool    the target is longer than what is kept
 *
 * and those of header_text.h, if somebody wants header fields.
 */
#ifndef SIDELIGHT_EXPORT_RECORD_LINE_H
#define SIDELIGHT_EXPORT_RECORD_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "metrics/recorder.h"

/* What a line has beside the record. */
struct record_line {
	const char *container; /* its name */
	int64_t offset_ns; /* to be added to the record's times: nanoseconds since 1970 */
	bool has_query; /* targets with their query strings */
	uint32_t round_trip_us; /* of the connection; 0: not known */
	const struct headers *headers; /* of the record; may be NULL */
	const char *header_names; /* wanted: see struct header_wish; NULL: the line has none */
};

/* The line has its line end. */
void record_line_add(struct text *out, const struct record *e, const struct record_line *how);

#endif
