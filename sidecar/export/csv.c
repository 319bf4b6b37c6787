/* SPDX-License-Identifier: Apache-2.0 */
#include "export/csv.h"

#include <string.h>

static void add_text(struct text *out, const char *s)
{
	bool is_formula = *s && strchr("=+-@\t\r", *s);

	if (!is_formula && !strpbrk(s, "\",")) {
		request_add_printable(out, s);
		return;
	}
	text_add(out, is_formula ? "\"'" : "\"");
	for (; *s; s++) {
		const char one[] = {*s, '\0'};

		if (*s == '"')
			text_add_char(out, '"'); /* doubled */
		request_add_printable(out, one);
	}
	text_add_char(out, '"');
}

static void add_text_value(struct text *out, const struct request_pick *pick, const cJSON *request)
{
	struct text value;

	text_init(&value);
	request_pick_add_text(&value, pick, request);
	add_text(out, value.ptr);
	out->has_failed |= value.has_failed;
	text_release(&value);
}

void csv_add_names(struct text *out, const struct request_picks *picks)
{
	for (size_t i = 0; i < picks->count; i++) {
		text_add(out, i ? "," : "");
		text_add_span(out, picks->pick[i].name);
	}
	text_add(out, "\r\n");
}

static void add_value(struct text *out, const struct request_pick *pick, const cJSON *request)
{
	enum request_field_kind kind = request_pick_kind(pick);
	double number;

	if (kind == FIELD_TEXT || kind == FIELD_TIME || kind == FIELD_HEADERS) {
		add_text_value(out, pick, request);
	} else if (kind == FIELD_BOOL) {
		text_add(out, request_bool(request, pick->field->name) ? "true" : "false");
	} else {
		number = request_number(request, pick->field->name);
		if (number >= 0)
			text_addf(out, "%.0f", number);
	}
}

void csv_add_request(struct text *out, const struct request_picks *picks, const cJSON *request)
{
	for (size_t i = 0; i < picks->count; i++) {
		text_add(out, i ? "," : "");
		add_value(out, &picks->pick[i], request);
	}
	text_add(out, "\r\n");
}
