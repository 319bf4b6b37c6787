/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1];

void text_init(struct text *t)
{
	*t = (struct text){.ptr = empty};
}

void text_release(struct text *t)
{
	if (t->alloc)
		free(t->ptr);
	text_init(t);
}

void text_truncate(struct text *t, size_t len)
{
	if (t->alloc == 0)
		return; /* empty */
	t->len = len;
	t->ptr[len] = '\0';
}

void text_end_row(struct text *t, size_t start, size_t max_columns)
{
	while (t->len > start && t->ptr[t->len - 1] == ' ')
		text_truncate(t, t->len - 1);
	if (max_columns && t->len - start > max_columns)
		text_truncate(t, start + max_columns);
	text_add_char(t, '\n');
}

void text_clear(struct text *t)
{
	t->len = 0;
	t->has_failed = false;
	if (t->alloc)
		t->ptr[0] = '\0';
}

/* Room for n more bytes and the terminator. */
static bool text_grow(struct text *t, size_t n)
{
	size_t want = t->len + n + 1;
	size_t alloc;
	char *ptr;

	/* No memory is that large; below it no sum here overflows. */
	if (t->has_failed || n > PTRDIFF_MAX / 4) {
		t->has_failed = true;
		return false;
	}
	if (want <= t->alloc)
		return true;
	alloc = t->alloc * 2 > want ? t->alloc * 2 : want + 64;
	ptr = realloc(t->alloc ? t->ptr : NULL, alloc);
	if (!ptr) {
		t->has_failed = true;
		return false;
	}
	t->ptr = ptr;
	t->alloc = alloc;
	return true;
}

void text_add_span(struct text *t, struct span s)
{
	if (s.len == 0 || !text_grow(t, s.len))
		return;
	memcpy(t->ptr + t->len, s.ptr, s.len);
	t->len += s.len;
	t->ptr[t->len] = '\0';
}

void text_add(struct text *t, const char *str)
{
	text_add_span(t, span_of(str));
}

void text_add_char(struct text *t, char c)
{
	text_add_span(t, (struct span){&c, 1});
}

void text_add_hex(struct text *t, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		const char pair[] = {digits[bytes[i] >> 4], digits[bytes[i] & 0xf]};

		text_add_span(t, (struct span){pair, sizeof(pair)});
	}
}

void text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		t->has_failed = true;
		return;
	}
	if (!text_grow(t, (size_t)n))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(t->ptr + t->len, (size_t)n + 1, fmt, ap); /* measured above */
	va_end(ap);
	t->len += (size_t)n;
}
