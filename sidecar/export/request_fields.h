/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a request's line of NDJSON (transaction_text.h, record_line.h) as a table: what
 * CSV files, spreadsheets and tables for people call them, and what kind of value each has.
 *
 * A line may come from a program that only claims to be a sidecar, so its members may have any
 * type: what does not fit is empty.
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_FIELDS_H
#define SIDELIGHT_EXPORT_REQUEST_FIELDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum request_field_kind {
	FIELD_TEXT,
	FIELD_TIME, /* RFC 3339 */
	FIELD_NUMBER,
	FIELD_NS, /* a duration in nanoseconds */
	FIELD_BOOL,
	FIELD_HEADERS, /* an array of header fields: header_text.h */
};

/* Which requests have the field. */
enum { REQUEST_HTTP = 1, REQUEST_GRPC = 2, REQUEST_ANY = REQUEST_HTTP | REQUEST_GRPC };

struct request_field {
	const char *name; /* of the member */
	const char *heading; /* of a column of a spreadsheet; durations are milliseconds there */
	enum request_field_kind kind;
	unsigned of; /* REQUEST_HTTP, REQUEST_GRPC */
	unsigned width; /* characters of a usual value */
};

extern const struct request_field request_fields[];
extern const size_t request_field_count;
/* With those of header_text.h, which stand behind the others. */
extern const size_t request_field_count_all;

/* REQUEST_GRPC if the request is a call of gRPC, else REQUEST_HTTP. */
unsigned request_kind(const cJSON *request);

/* A member; NULL if it has none. */
const cJSON *request_member(const cJSON *request, const char *name);
/* A member's text, borrowed; "" if it has none. */
const char *request_string(const cJSON *request, const char *name);
/* A member's number; -1 if it has none. */
double request_number(const cJSON *request, const char *name);
bool request_bool(const cJSON *request, const char *name);
/* The request's time in nanoseconds since 1970; 0 if it has none. */
uint64_t request_time_ns(const cJSON *request);

/* Appends s with each byte outside of printable ASCII as `\xNN`. */
void request_add_printable(struct text *out, const char *s);

#endif
