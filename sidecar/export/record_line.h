/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded request as a line of NDJSON: the fields of transaction_text.h, of which timeout_ns is
 * never known, and
 *
 *     receive_ns   number  first to last byte of the request (see txn/stages.h)
 *     program_ns   number  last byte of the request to first byte of the response
 *     send_ns      number  first to last byte of the response
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

/* The header fields of a line. */
struct record_headers {
	const struct headers *headers; /* of the record; may be NULL */
	const char *names; /* wanted: see struct header_wish; NULL: the line has none */
};

/*
 * container: its name. offset_ns: what to add to the record's times to get nanoseconds since
 * 1970. The line has its line end.
 */
void record_line_add(struct text *out, const struct record *e, const char *container,
		     int64_t offset_ns, bool has_query, const struct record_headers *headers);

#endif
