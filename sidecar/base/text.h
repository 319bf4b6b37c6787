/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing string.
 *
 * Invariants:
 *   - ptr is never NULL after text_init() and ptr[len] == '\0';
 *   - len < alloc, or alloc == 0 and ptr points at a static empty string;
 *   - once a function could not get memory, has_failed is set, the content is
 *     what it was, and everything appended later is dropped: check once, at
 *     the end.
 */
#ifndef SIDELIGHT_BASE_TEXT_H
#define SIDELIGHT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct text {
	char *ptr;
	size_t len;
	size_t alloc;
	bool has_failed;
};

/* An empty text; allocates nothing. */
void text_init(struct text *t);
/* Frees the content; the text is as after text_init(). */
void text_release(struct text *t);
/* Empty again, memory kept. */
void text_clear(struct text *t);
/* What is behind the first len bytes goes; len is at most t->len. */
void text_truncate(struct text *t, size_t len);
/* Ends the row of a table that begins at start: without spaces at its end, and at most max_columns
 * long (0: any). */
void text_end_row(struct text *t, size_t start, size_t max_columns);

void text_add(struct text *t, const char *str);
void text_add_span(struct text *t, struct span s);
void text_add_char(struct text *t, char c);
/* Two lower-case hexadecimal digits for each byte. */
void text_add_hex(struct text *t, const uint8_t *bytes, size_t len);
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct span text_span(const struct text *t)
{
	return (struct span){t->ptr, t->len};
}

#endif
