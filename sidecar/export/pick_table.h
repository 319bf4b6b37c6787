/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as a table for people, with the columns that they chose:
 *
 *     TIME             STATUS  DURATION_NS  HEADER:X-FORWARDED-FOR
 *     15:04:05.123456     503     1.204 ms  10.0.0.7, 10.0.0.9
 *
 * Columns grow with what they hold; what is not known is "-". As in request_table.h, no byte that
 * could drive a terminal is written.
 */
#ifndef SIDELIGHT_EXPORT_PICK_TABLE_H
#define SIDELIGHT_EXPORT_PICK_TABLE_H

#include "export/request_picks.h"

/* All zeros but for picks, it is at its beginning. */
struct pick_table {
	const struct request_picks *picks; /* borrowed */
	size_t width[REQUEST_PICKS_MAX];
	size_t max_columns; /* of a line; 0: any */
	bool has_begun;
};

/* Appends a request's line, after the titles if it is the first. */
void pick_table_add(struct pick_table *t, struct text *out, const cJSON *request);

#endif
