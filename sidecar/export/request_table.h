/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as a table for people, from their lines of NDJSON:
 *
 *     TIME (UTC)       PEER            METHOD  STATUS    DURATION  FIRST BYTE  REQUEST  TARGET
 *     15:04:05.123456  10.0.0.7:41000  GET     503       1.204 ms    0.801 ms        0  /a/b
 *
 * With their header fields, `>` before those of the request and `<` before those of the response:
 *
 *     15:04:05.123456  10.0.0.7:41000  GET     503       1.204 ms    0.801 ms        0  /a/b
 *         > host: example.com
 *         < content-type: text/html
 *
 * Columns grow with what they hold. On a terminal statuses have colours; where it is narrow,
 * columns about parts of a request are left out, then those about its ends, and then lines are
 * cut. A byte that could drive a terminal is never written, whatever a line says.
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_TABLE_H
#define SIDELIGHT_EXPORT_REQUEST_TABLE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/text.h"
#include "export/request_fields.h"

enum request_column {
	COLUMN_TIME,
	COLUMN_CONTAINER, /* left out where no request has one */
	COLUMN_PROCESS, /* nginx/4711/4712: left out unless it is asked for */
	COLUMN_PEER, /* the end that is not observed */
	COLUMN_CLIENT,
	COLUMN_SERVER,
	COLUMN_METHOD,
	COLUMN_STATUS, /* with the error, if there is one */
	COLUMN_DURATION,
	COLUMN_FIRST_BYTE, /* left out if there are stages */
	COLUMN_RECEIVE, /* the stages of txn/stages.h: left out unless they are asked for */
	COLUMN_WAIT,
	COLUMN_PROGRAM,
	COLUMN_SEND,
	COLUMN_ROUND_TRIP, /* of the connection; likewise */
	COLUMN_REQUEST,
	COLUMN_RESPONSE,
	COLUMN_TARGET,
	REQUEST_COLUMNS,
};

struct request_table {
	size_t width[REQUEST_COLUMNS];
	size_t max_columns; /* of a line; 0: any */
	bool has_colors;
	bool is_left_out[REQUEST_COLUMNS];
	bool shows_headers;
	bool has_begun;
	struct text cell;
};

/* has_both_ends: client and server, in place of the peer. */
void request_table_init(struct request_table *t, bool has_both_ends);
void request_table_release(struct request_table *t);

/* To be called before request_table_fit(). */
void request_table_show(struct request_table *t, bool has_stages, bool has_threads);

/* From now on lines are at most max_columns long; 0: as long as they need to be. */
void request_table_fit(struct request_table *t, size_t max_columns);

/* A member as a table shows it: the time of day, milliseconds, a number; nothing if it is not
 * known. */
void request_table_add_member(struct text *cell, const cJSON *request, const char *name,
			      enum request_field_kind kind);

/* Appends a request's line, after the titles if it is the first. */
void request_table_add(struct request_table *t, struct text *out, const cJSON *request);

#endif
