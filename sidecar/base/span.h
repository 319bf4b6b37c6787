/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A borrowed run of bytes. It owns nothing, is not terminated, and is valid
 * for as long as whoever handed it out says.
 */
#ifndef SIDELIGHT_BASE_SPAN_H
#define SIDELIGHT_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *ptr;
	size_t len;
};

/* "%.*s" takes these two arguments. */
#define SPAN_ARG(s) (int)(s).len, (s).ptr

static inline struct span span_of(const char *str)
{
	return (struct span){str, strlen(str)};
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is(struct span s, const char *str)
{
	return span_eq(s, span_of(str));
}

/* The same without regard to the case of letters. */
static inline bool span_is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

static inline bool span_starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

/* The rest of s after its first n bytes; n <= s.len. */
static inline struct span span_from(struct span s, size_t n)
{
	return (struct span){s.ptr + n, s.len - n};
}

/* s without blanks and tabs at either end. */
static inline struct span span_trim(struct span s)
{
	while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t'))
		s = span_from(s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

#endif
