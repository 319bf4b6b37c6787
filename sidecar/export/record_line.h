/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded request as a line of NDJSON: the fields of transaction_text.h, of which timeout_ns is
 * never known, and
 *
 *     container    string  "" outside of a Pod
 *     thread       number  that wrote the response (server) or the request (client)
 *     is_cut       bool    the target is longer than what is kept
 */
#ifndef SIDELIGHT_EXPORT_RECORD_LINE_H
#define SIDELIGHT_EXPORT_RECORD_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "metrics/recorder.h"

/*
 * container: its name. offset_ns: what to add to the record's times to get nanoseconds since
 * 1970. The line has its line end.
 */
void record_line_add(struct text *out, const struct record *e, const char *container,
		     int64_t offset_ns, bool has_query);

#endif
