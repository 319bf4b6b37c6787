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

static inline uint32_t word32(const char *p)
{
	uint32_t w;

	memcpy(&w, p, 4);
	return w;
}

/*
 * True if p, which has at least n bytes, begins with the name (lower case, 4 to 16 characters). A
 * constant name costs two comparisons. Setting bit 5 makes letters lower case and does not change
 * digits, '-' and ':'.
 */
static inline bool is_name(const char *p, const char *name, size_t n)
{
	if (n < 8)
		return (word32(p) | 0x20202020u) == word32(name) &&
		       (word32(p + n - 4) | 0x20202020u) == word32(name + n - 4);
	return (word(p) | 0x2020202020202020u) == word(name) &&
	       (word(p + n - 8) | 0x2020202020202020u) == word(name + n - 8);
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static __attribute__((noinline)) struct span trimmed(const char *p, size_t at, size_t n)
{
	if (n > at && p[n - 1] == '\r')
		n--;
	while (at < n && is_space(p[at]))
		at++;
	while (n > at && is_space(p[n - 1]))
		n--;
	return (struct span){p + at, n - at};
}

/* The field value that begins at p + at, without the white space around it. */
static inline struct span value_at(const char *p, size_t at, size_t n)
{
	/*
	 * The usual form: one space before the value, none after it. A byte above 127 may be
	 * negative here and takes the general path.
	 */
	if (n - at > 3 && p[at] == ' ' && p[at + 1] > ' ' && p[n - 2] > ' ' && p[n - 1] == '\r')
		return (struct span){p + at + 1, n - at - 2};
	return trimmed(p, at, n);
}

/* Removes the first element from a comma-separated list. Returns false if the list is empty. */
static bool next_element(struct span *list, struct span *ret_element)
{
	const char *comma;
	size_t n;

	if (!list->ptr)
		return false;
	comma = memchr(list->ptr, ',', list->len);
	n = comma ? (size_t)(comma - list->ptr) : list->len;
	*ret_element = trimmed(list->ptr, 0, n);
	*list = comma ? span_from(*list, n + 1) : (struct span){NULL, 0};
	return true;
}

/* Accepts digits only; strtoull() would accept signs and spaces. */
static bool parse_length(struct span s, uint64_t *ret_length)
{
	uint64_t length = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		/* Nineteen digits cannot overflow. */
		if (i >= 19 && (__builtin_mul_overflow(length, 10, &length) ||
				__builtin_add_overflow(length, digit, &length)))
			return false;
		if (i < 19)
			length = length * 10 + digit;
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

/* A proxy may have joined several equal lengths in one list (RFC 9112 section 6.3, item 5). */
static void __attribute__((noinline)) length_list(struct http1_framing *f, struct span value)
{
	struct span element;
	uint64_t length;

	while (next_element(&value, &element)) {
		if (parse_length(element, &length))
			add_length(f, length);
		else
			f->is_bad_length = true;
	}
}

static inline void content_length(struct http1_framing *f, struct span value)
{
	uint64_t length;

	if (parse_length(value, &length))
		add_length(f, length);
	else
		length_list(f, value);
}

/* Codings accumulate over lists and lines; the last one decides (RFC 9112 section 6.1). */
static void __attribute__((noinline)) transfer_encoding(struct http1_framing *f, struct span value)
{
	struct span element;

	while (next_element(&value, &element)) {
		/* RFC 7230 removed "identity", which never meant a coding. */
		if (element.len == 0 ||
		    (element.len == 8 && strncasecmp(element.ptr, "identity", 8) == 0))
			continue;
		f->has_coding = true;
		f->is_chunked = element.len == 7 && strncasecmp(element.ptr, "chunked", 7) == 0;
	}
}

/* One of the fields of which a request has one at most: a second one makes both invalid. */
static void add_once(struct span *field, struct span value)
{
	*field = (struct span){value.ptr, field->ptr ? 0 : value.len};
}

/* The fields of trace contexts are not decoded here, since nobody may want them. */
static void trace_field(struct message *m, const char *p, size_t n)
{
	if (n > 11 && p[11] == ':' && is_name(p, "traceparent", 11))
		add_once(&m->traceparent, trimmed(p, 12, n));
	else if (n > 2 && p[2] == ':' && (p[0] | 0x20) == 'b' && p[1] == '3')
		add_once(&m->b3, trimmed(p, 3, n));
	else if ((n > 12 && p[12] == ':' && is_name(p, "x-b3-traceid", 12)) ||
		 (n > 11 && p[11] == ':' && is_name(p, "x-b3-spanid", 11)))
		m->has_b3_fields = true;
	m->has_trace_fields = m->traceparent.ptr || m->b3.ptr || m->has_b3_fields;
}

/* The fields that few heads have. */
static __attribute__((noinline)) bool rare_field(struct http1_head *h, const char *p, size_t n)
{
	struct message *m = &h->m;
	struct span value;

	if (is_space(p[0]))
		return true;
	if (n > 17 && p[17] == ':' && is_name(p, "transfer-encoding", 16) &&
	    (p[16] | 0x20) == 'g') {
		transfer_encoding(&h->framing, trimmed(p, 18, n));
	} else if (n > 6 && p[6] == ':' && !m->is_response && is_name(p, "expect", 6)) {
		value = trimmed(p, 7, n);
		m->expects_continue =
			value.len == 12 && strncasecmp(value.ptr, "100-continue", 12) == 0;
	} else if (!m->is_response) {
		trace_field(m, p, n);
	}
	return false;
}

bool http1_field(struct http1_head *h, const char *p, size_t n)
{
	struct message *m = &h->m;
	char first = (char)(p[0] | 0x20);

	/* Comparing the place of the colon first avoids most name comparisons. */
	if (first == 'c') {
		if (n > 14 && p[14] == ':' && is_name(p, "content-length", 14))
			content_length(&h->framing, value_at(p, 15, n));
		else if (n > 12 && p[12] == ':' && is_name(p, "content-type", 12))
			m->content_type = value_at(p, 13, n);
		return false;
	}
	if (first == 'h') {
		/* The first Host counts, unless an absolute-form target has set the host. */
		if (n > 4 && p[4] == ':' && !m->is_response && !m->host.ptr &&
		    is_name(p, "host", 4))
			m->host = value_at(p, 5, n);
		return false;
	}
	if (first == 'u') {
		if (n > 10 && p[10] == ':' && !m->is_response && is_name(p, "user-agent", 10))
			m->user_agent = value_at(p, 11, n);
		return false;
	}
	/* Many names begin with an x, and some with a t: most of them are none of these. */
	if (first == 'x' && (n < 13 || (word32(p) | 0x20202020u) != word32("x-b3")))
		return false;
	if (first == 't' && (n < 12 || (p[11] != ':' && (n < 18 || p[17] != ':'))))
		return false;
	if (first == 'b' && (n < 3 || p[1] != '3'))
		return false;
	return rare_field(h, p, n);
}
