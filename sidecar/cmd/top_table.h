/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window of /routes (export/route_stream.h) as a table for people:
 *
 *  7 requests in 2.0 s: 3.5/s, 1 with an error; 1 request and 2 connections open
 *
 *   METHOD  ROUTE  REQUESTS  RATE/S  ERRORS      P99      MAX  RECEIVE  PROGRAM    SEND  STATUSES
 *   GET     /a            7     3.5       1  1.21 ms  15.2 ms    25 ns  1.18 ms  9.2 us  200:6
 * 503:1
 *
 * with P50 and P90. RECEIVE, WAIT, PROGRAM and SEND (txn/stages.h) are P99 of these stages, or P50
 * or P90 if rows are sorted by that; sorted by MAX, they are those of the slowest request.
 */
#ifndef SIDELIGHT_CMD_TOP_TABLE_H
#define SIDELIGHT_CMD_TOP_TABLE_H

#include <cjson/cJSON.h>

#include "base/text.h"

/* In the order of the option's words. */
enum top_sort {
	TOP_SORT_REQUESTS,
	TOP_SORT_ERRORS,
	TOP_SORT_P50,
	TOP_SORT_P90,
	TOP_SORT_P99,
	TOP_SORT_MAX,
	TOP_SORT_ROUTE,
	TOP_SORT_RTT, /* from here on: of connections, which otherwise have only requests */
	TOP_SORT_RETRANSMITS,
	TOP_SORT_AGE,
	TOP_SORT_BYTES,
};

/*
 * The largest first, routes by name. Lines are at most max_columns long; 0: as long as they need to
 * be. Returns 0, or -EINVAL if that is no window.
 */
int top_table_add(struct text *out, const cJSON *window, enum top_sort sort, size_t max_columns);

#endif
