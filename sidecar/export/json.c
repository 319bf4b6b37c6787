/* SPDX-License-Identifier: Apache-2.0 */
#include "export/json.h"

static void add_name(struct text *out, const char *name)
{
	text_add(out, ",\"");
	text_add(out, name);
	text_add(out, "\":");
}

void json_number(struct text *out, const char *name, uint64_t value, bool is_known)
{
	char digits[20];
	size_t at = sizeof(digits);

	add_name(out, name);
	if (!is_known) {
		text_add(out, "null");
		return;
	}
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	text_add_span(out, (struct span){digits + at, sizeof(digits) - at});
}

void json_bool(struct text *out, const char *name, bool value)
{
	add_name(out, name);
	text_add(out, value ? "true" : "false");
}

void json_word(struct text *out, const char *name, const char *word)
{
	add_name(out, name);
	if (!word) {
		text_add(out, "null");
		return;
	}
	text_add_char(out, '"');
	text_add(out, word);
	text_add_char(out, '"');
}

void json_string(struct text *out, struct span value)
{
	size_t start = 0; /* of the bytes before i that need no escape and are not written yet */

	text_add_char(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if (c >= ' ' && c <= '~' && c != '\\' && c != '"')
			continue;
		text_add_span(out, (struct span){value.ptr + start, i - start});
		start = i + 1;
		/* JSON doubles the backslashes of an escape. */
		if (c == '"')
			text_add(out, "\\\"");
		else if (c == '\\')
			text_add(out, "\\\\\\\\");
		else
			text_addf(out, "\\\\x%02x", c);
	}
	text_add_span(out, span_from(value, start));
	text_add_char(out, '"');
}

void json_escaped(struct text *out, const char *name, struct span value)
{
	add_name(out, name);
	json_string(out, value);
}
