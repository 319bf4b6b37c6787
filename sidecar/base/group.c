/* SPDX-License-Identifier: Apache-2.0 */
#include "base/group.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* RFC 3986 section 2.3. `.` and `..` alone are path steps, not names. */
static bool is_plain(const char *value)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	return *value && value[strspn(value, unreserved)] == '\0' && strcmp(value, ".") != 0 &&
	       strcmp(value, "..") != 0;
}

/* The URL alphabet of RFC 4648 section 5, unpadded; nothing is `=`, as the gateway wants it. */
static void add_base64(struct text *out, const char *value)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	const unsigned char *p = (const unsigned char *)value;

	if (!*p)
		text_add_char(out, '=');
	for (size_t left = strlen(value); left > 0;) {
		size_t n = left < 3 ? left : 3;
		uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
				(n > 2 ? p[2] : 0u);

		for (size_t i = 0; i <= n; i++) /* n bytes are n + 1 digits */
			text_add_char(out, digits[bits >> (18 - 6 * i) & 63]);
		p += n;
		left -= n;
	}
}

void group_add_root(struct text *out, const char *base, const char *path)
{
	struct span root = span_of(base);

	while (root.len > 0 && root.ptr[root.len - 1] == '/')
		root.len--;
	text_add_span(out, root);
	text_add(out, path);
}

void group_add_label(struct text *out, const char *name, const char *value)
{
	text_add_char(out, '/');
	text_add(out, name);
	if (is_plain(value)) {
		text_add_char(out, '/');
		text_add(out, value);
	} else {
		text_add(out, "@base64/");
		add_base64(out, value);
	}
}
