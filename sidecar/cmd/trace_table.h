/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as a table for people, from the lines of the control socket:
 *
 *     TIME (UTC)       PEER            METHOD  STATUS    DURATION  FIRST BYTE  REQUEST  TARGET
 *     15:04:05.123456  10.0.0.7:41000  GET     503       1.204 ms    0.801 ms        0  /a/b
 *
 * Columns grow with what they hold. On a terminal statuses have colours; where it is narrow,
 * columns about parts of a request are left out, and then lines are cut. A byte that could drive a
 * terminal is never written, whatever a line says.
 */
#ifndef SIDELIGHT_CMD_TRACE_TABLE_H
#define SIDELIGHT_CMD_TRACE_TABLE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/text.h"

enum trace_column {
	TRACE_TIME,
	TRACE_CONTAINER, /* left out where no request has one */
	TRACE_PEER,
	TRACE_METHOD,
	TRACE_STATUS,
	TRACE_DURATION,
	TRACE_FIRST_BYTE,
	TRACE_REQUEST,
	TRACE_RESPONSE,
	TRACE_TARGET,
	TRACE_COLUMNS,
};

struct trace_table {
	size_t width[TRACE_COLUMNS];
	size_t max_columns; /* of a line; 0: any */
	bool has_colors;
	bool is_left_out[TRACE_COLUMNS];
	bool has_begun;
	struct text out;
	struct text cell;
};

/* fd: where it goes. */
void trace_table_init(struct trace_table *t, int fd);
void trace_table_release(struct trace_table *t);

/* A request's line, after the titles if it is the first; valid until the next call. */
struct span trace_table_row(struct trace_table *t, const cJSON *request);

#endif
