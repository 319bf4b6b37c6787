/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route_path.h"

#include <stdbool.h>

const uint8_t route_class[256] = {
	['0' ... '9'] = ROUTE_DIGIT | ROUTE_HEX,
	['a' ... 'f'] = ROUTE_LOWER | ROUTE_HEX,
	['g' ... 'z'] = ROUTE_LOWER,
	['A' ... 'F'] = ROUTE_UPPER | ROUTE_HEX,
	['G' ... 'Z'] = ROUTE_UPPER,
	['-'] = ROUTE_MARK,
	['.'] = ROUTE_MARK,
	['_'] = ROUTE_MARK,
	['~'] = ROUTE_MARK,
	['@'] = ROUTE_MARK | ROUTE_AT,
	['%'] = ROUTE_PERCENT,
	/* sub-delims without ';', and ':' (RFC 3986 section 3.3) */
	['!'] = ROUTE_DELIM,
	['$'] = ROUTE_DELIM,
	['&' ... ','] = ROUTE_DELIM,
	['='] = ROUTE_DELIM,
	[':'] = ROUTE_DELIM,
};

static bool is_alpha(char c)
{
	return route_class_of(c) & ROUTE_LETTER;
}

static bool is_digit(char c)
{
	return route_class_of(c) & ROUTE_DIGIT;
}

/* The length of scheme "://" at the start of s, 0 if there is none. */
static size_t scheme_len(struct span s)
{
	size_t i = 0;

	if (s.len == 0 || !is_alpha(s.ptr[0]))
		return 0;
	while (i < s.len && (is_alpha(s.ptr[i]) || is_digit(s.ptr[i]) || s.ptr[i] == '+' ||
			     s.ptr[i] == '-' || s.ptr[i] == '.'))
		i++;
	return span_starts(span_from(s, i), "://") ? i + 3 : 0;
}

static struct span cut_at(struct span s, char c)
{
	const char *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

	return at ? (struct span){s.ptr, (size_t)(at - s.ptr)} : s;
}

enum route_form route_path_of(struct span target, struct span *ret_path)
{
	struct span path = cut_at(cut_at(target, '?'), '#');
	size_t scheme;
	const char *slash;

	if (path.len == 0 || path.ptr[0] != '/') {
		scheme = scheme_len(path);
		if (scheme == 0) {
			if (span_is(target, "*"))
				return ROUTE_FORM_ASTERISK;
			return path.len > 0 && memchr(path.ptr, ':', path.len) &&
					       !memchr(path.ptr, '/', path.len)
				       ? ROUTE_FORM_AUTHORITY
				       : ROUTE_FORM_INVALID;
		}
		path = span_from(path, scheme);
		slash = path.len > 0 ? memchr(path.ptr, '/', path.len) : NULL;
		path = slash ? span_from(path, (size_t)(slash - path.ptr)) : span_of("/");
	}
	*ret_path = path;
	return ROUTE_FORM_PATH;
}

static unsigned hex_value(char c)
{
	return is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* Decodes "%41" at p, with n bytes left. Returns false if it is malformed. */
static bool decode(const char *p, size_t n, char *ret_c)
{
	if (n < 3 || p[0] != '%' || !(route_class_of(p[1]) & route_class_of(p[2]) & ROUTE_HEX))
		return false;
	*ret_c = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
	return true;
}

size_t route_path_normal(struct span path, char *buf, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;

	for (size_t i = 0; i < path.len && len < size; i++) {
		char c = path.ptr[i];
		bool is_encoded;

		if (route_class_of(c) & (ROUTE_UNRESERVED | ROUTE_DELIM)) {
			buf[len++] = c;
			continue;
		}
		if (c == '/') {
			if (len == 0 || buf[len - 1] != '/')
				buf[len++] = c;
			continue;
		}
		is_encoded = decode(path.ptr + i, path.len - i, &c);
		i += is_encoded ? 2 : 0;
		/* Parameters, also encoded ones: they may hold what no series shall have. */
		if (c == ';' || (is_encoded && (c == '?' || c == '#'))) {
			while (i + 1 < path.len && path.ptr[i + 1] != '/')
				i++;
			continue;
		}
		if (is_encoded && (route_class_of(c) & ROUTE_UNRESERVED)) {
			buf[len++] = c;
			continue;
		}
		if (size - len < 3)
			break;
		buf[len++] = '%';
		buf[len++] = hex[(unsigned char)c >> 4];
		buf[len++] = hex[c & 15];
	}
	return len;
}
