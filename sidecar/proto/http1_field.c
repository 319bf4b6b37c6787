/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_field.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static inline uint64_t word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

/* Lower case for letters; digits, '-' and ':' stay what they are. */
static inline uint64_t lower(const char *p)
{
	return word(p) | 0x2020202020202020u;
}

/* Is p, with at least n bytes, the name (lower case, 8 to 16 characters)? */
static inline bool is_name(const char *p, const char *name, size_t n)
{
	return lower(p) == word(name) && lower(p + n - 8) == word(name + n - 8);
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The field value that begins at p + at: without white space around it. */
static inline struct span value_at(const char *p, size_t at, size_t n)
{
	if (n > at && p[n - 1] == '\r')
		n--;
	while (at < n && is_space(p[at]))
		at++;
	while (n > at && is_space(p[n - 1]))
		n--;
	return (struct span){p + at, n - at};
}

/* The next element of a comma-separated list, which is shortened by it; false at its end. */
static bool next_element(struct span *list, struct span *ret_element)
{
	const char *comma;
	size_t n;

	if (!list->ptr)
		return false;
	comma = memchr(list->ptr, ',', list->len);
	n = comma ? (size_t)(comma - list->ptr) : list->len;
	*ret_element = value_at(list->ptr, 0, n);
	*list = comma ? span_from(*list, n + 1) : (struct span){NULL, 0};
	return true;
}

/* Digits only: strtoull() would take signs and spaces. */
static bool parse_length(struct span s, uint64_t *ret_length)
{
	uint64_t length = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

		if (digit > 9 || __builtin_mul_overflow(length, 10, &length) ||
		    __builtin_add_overflow(length, digit, &length))
			return false;
	}
	*ret_length = length;
	return true;
}

static void add_length(struct http1_framing *f, uint64_t length)
{
	f->is_bad_length |= f->has_length && f->length != length;
	f->length = length;
	f->has_length = true;
}

/*
 * One number; or, from a careless proxy, several that agree, in one field or in more (RFC 9112
 * section 6.3, item 5).
 */
static inline void content_length(struct http1_framing *f, struct span value)
{
	struct span element;
	uint64_t length;

	if (parse_length(value, &length)) {
		add_length(f, length);
		return;
	}
	while (next_element(&value, &element)) {
		if (parse_length(element, &length))
			add_length(f, length);
		else
			f->is_bad_length = true;
	}
}

/* Codings add up over lists and lines; the last one counts (RFC 9112 section 6.1). */
static void transfer_encoding(struct http1_framing *f, struct span value)
{
	struct span element;

	while (next_element(&value, &element)) {
		/* "identity" was taken out in 2014; it always meant nothing. */
		if (element.len == 0 ||
		    (element.len == 8 && strncasecmp(element.ptr, "identity", 8) == 0))
			continue;
		f->has_coding = true;
		f->is_chunked = element.len == 7 && strncasecmp(element.ptr, "chunked", 7) == 0;
	}
}

static inline void connection(struct message *m, struct span value)
{
	struct span element;

	if (value.len < 7 || (value.len == 10 && (value.ptr[0] | 0x20) == 'k'))
		return; /* close, keep-alive */
	while (next_element(&value, &element))
		m->has_upgrade |= element.len == 7 && strncasecmp(element.ptr, "upgrade", 7) == 0;
}

bool http1_field(struct http1_head *h, const char *p, size_t n)
{
	struct message *m = &h->m;

	/* Looking at the colon's place first spares most comparisons. */
	switch (p[0] | 0x20) {
	case 'c':
		if (n > 14 && p[14] == ':' && is_name(p, "content-length", 14))
			content_length(&h->framing, value_at(p, 15, n));
		else if (n > 12 && p[12] == ':' && is_name(p, "content-type", 12))
			m->content_type = value_at(p, 13, n);
		else if (n > 10 && p[10] == ':' && is_name(p, "connection", 10))
			connection(m, value_at(p, 11, n));
		break;
	case 't':
		if (n > 17 && p[17] == ':' && (p[16] | 0x20) == 'g' &&
		    is_name(p, "transfer-encoding", 16))
			transfer_encoding(&h->framing, value_at(p, 18, n));
		break;
	case 'h':
		/* The first one; and an absolute-form target has already decided. */
		if (n > 4 && p[4] == ':' && !m->is_response && !m->host.ptr &&
		    strncasecmp(p, "host", 4) == 0)
			m->host = value_at(p, 5, n);
		break;
	case 'u':
		if (n > 10 && p[10] == ':' && !m->is_response && is_name(p, "user-agent", 10))
			m->user_agent = value_at(p, 11, n);
		break;
	case 'e':
		if (n > 6 && p[6] == ':' && !m->is_response && strncasecmp(p, "expect", 6) == 0) {
			struct span value = value_at(p, 7, n);

			m->expects_continue =
				value.len == 12 && strncasecmp(value.ptr, "100-continue", 12) == 0;
		}
		break;
	case ' ':
	case '\t' | 0x20:
		return is_space(p[0]);
	default:
		break;
	}
	return false;
}
