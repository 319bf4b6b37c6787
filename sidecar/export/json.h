/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a JSON object, written without a tree: each is `,"name":value`, so another one stands
 * before it. Names and words are ours and need no escapes.
 */
#ifndef SIDELIGHT_EXPORT_JSON_H
#define SIDELIGHT_EXPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/text.h"

/* !is_known: null. All digits, which a double would not keep. */
void json_number(struct text *out, const char *name, uint64_t value, bool is_known);
void json_bool(struct text *out, const char *name, bool value);
/* NULL: null. */
void json_word(struct text *out, const char *name, const char *word);
/* A string without a name; escaped as below. */
void json_string(struct text *out, struct span value);
/* Bytes that strangers chose, as transaction_text_escape() writes them. */
void json_escaped(struct text *out, const char *name, struct span value);

#endif
