/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The columns of a table, or the members of a line, that somebody chose, in this order: fields of
 * request_fields.h, and single header fields of the request or of the response:
 *
 *     time,method,target,header:x-forwarded-for,response-header:server
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_PICKS_H
#define SIDELIGHT_EXPORT_REQUEST_PICKS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "export/request_fields.h"

#define REQUEST_PICKS_MAX 64

struct request_pick {
	struct span name; /* as it was written; the name of its column */
	const struct request_field *field; /* NULL: a header field */
	struct span header; /* its name */
	bool is_response;
};

/* Zeroed, nothing is chosen. */
struct request_picks {
	size_t count;
	struct request_pick pick[REQUEST_PICKS_MAX];
};

/* Names are borrowed from list. Returns 0, or -EINVAL after adding a line to error. */
int request_picks_parse(struct request_picks *p, const char *list, struct text *error);

/* All fields of request_fields.h. */
void request_picks_all(struct request_picks *p, bool has_headers);

/* Appends the names of the single header fields to a list that may have words already. */
void request_picks_header_names(const struct request_picks *p, struct text *list);

/* The kind of its values, a title of its column, and which requests have it. */
enum request_field_kind request_pick_kind(const struct request_pick *pick);
struct span request_pick_heading(const struct request_pick *pick);
unsigned request_pick_of(const struct request_pick *pick);
unsigned request_pick_width(const struct request_pick *pick);

/*
 * Appends the text of a value of FIELD_TEXT or FIELD_HEADERS; nothing if there is none. Of several
 * header fields of a name, the values are separated by ", " (RFC 9110 section 5.3); of all header
 * fields of a section, `name: value` by " | ".
 */
void request_pick_add_text(struct text *out, const struct request_pick *pick, const cJSON *request);

/* The request's object with the chosen members only; members without a value are null. */
void request_picks_add_json(struct text *out, const struct request_picks *p, const cJSON *request);

#endif
