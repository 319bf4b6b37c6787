/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of a request as members of its line of NDJSON, in the order of the wire:
 *
 *     request_headers, response_headers, request_trailers, response_trailers
 *                     arrays  {"name":...,"value":...} each, escaped as in transaction_text.h; null
 *                             if they were not captured, or passed before somebody wanted them
 *     weight          number  of the priority of its stream; null if none was sent
 *     headers_cut     bool    fields are missing, or values are cut
 */
#ifndef SIDELIGHT_EXPORT_HEADER_TEXT_H
#define SIDELIGHT_EXPORT_HEADER_TEXT_H

#include <stdbool.h>

#include "base/text.h"
#include "txn/headers.h"

/*
 * Appends the members with the fields that are among names (see struct header_wish). has_query:
 * `:path` has its query string. h may be NULL.
 */
void header_text_json(struct text *out, const struct headers *h, const char *names, bool has_query);

/* Of a section: the name of its member. */
const char *header_text_member(enum header_section section);

#endif
