/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route_path.h"

#include <stdbool.h>

static bool is_alpha(char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Length of scheme "://" at the start of s, 0 if there is none. */
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

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Characters that stand for themselves: unreserved, and '@' to find addresses by. */
static bool is_plain(char c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
	       c == '@';
}

/* ... and those that may also be there as they are (RFC 3986 section 3.3). */
static bool is_path_char(char c)
{
	return is_plain(c) || (c != '\0' && strchr("!$&'()*+,=:/", c) != NULL);
}

size_t route_path_normal(struct span path, char *buf, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	bool is_parameter = false;
	size_t len = 0;

	for (size_t i = 0; i < path.len && len < size; i++) {
		char c = path.ptr[i];
		bool is_encoded = false;

		if (c == '%' && path.len - i > 2 && hex_digit(path.ptr[i + 1]) >= 0 &&
		    hex_digit(path.ptr[i + 2]) >= 0) {
			c = (char)(hex_digit(path.ptr[i + 1]) << 4 | hex_digit(path.ptr[i + 2]));
			is_encoded = true;
			i += 2;
		}
		if (c == '/' && !is_encoded)
			is_parameter = false;
		else if (c == ';' && !is_encoded)
			is_parameter = true;
		if (is_parameter || (c == '/' && !is_encoded && len > 0 && buf[len - 1] == '/'))
			continue;
		if (is_plain(c) || (!is_encoded && is_path_char(c))) {
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
