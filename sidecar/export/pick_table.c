/* SPDX-License-Identifier: Apache-2.0 */
#include "export/pick_table.h"

#include <ctype.h>

#include "export/request_table.h"

static bool is_right(const struct request_pick *pick)
{
	enum request_field_kind kind = request_pick_kind(pick);

	return kind == FIELD_NUMBER || kind == FIELD_NS;
}

static void add_value(struct text *cell, const struct request_pick *pick, const cJSON *request)
{
	struct text text;

	switch (request_pick_kind(pick)) {
	case FIELD_TEXT:
	case FIELD_HEADERS:
		text_init(&text);
		request_pick_add_text(&text, pick, request);
		request_add_printable(cell, text.ptr);
		cell->has_failed |= text.has_failed;
		text_release(&text);
		break;
	case FIELD_BOOL:
		text_add(cell, request_bool(request, pick->field->name) ? "true" : "false");
		break;
	default:
		request_table_add_member(cell, request, pick->field->name, pick->field->kind);
		break;
	}
	if (!cell->len)
		text_add_char(cell, '-');
}

static void add_title(struct text *cell, const struct request_pick *pick)
{
	for (size_t i = 0; i < pick->name.len; i++)
		text_add_char(cell, (char)toupper((unsigned char)pick->name.ptr[i]));
}

/* NULL: the titles. */
static void add_line(struct pick_table *t, struct text *out, const cJSON *request)
{
	size_t start = out->len;
	struct text cell;

	text_init(&cell);
	for (size_t i = 0; i < t->picks->count; i++) {
		const struct request_pick *pick = &t->picks->pick[i];
		int pad;

		text_clear(&cell);
		if (request)
			add_value(&cell, pick, request);
		else
			add_title(&cell, pick);
		out->has_failed |= cell.has_failed;
		if (cell.len > t->width[i])
			t->width[i] = cell.len;
		pad = (int)(t->width[i] - cell.len);
		text_addf(out, "%s%*s%s%*s", i ? "  " : "", is_right(pick) ? pad : 0, "", cell.ptr,
			  is_right(pick) ? 0 : pad, "");
	}
	text_end_row(out, start, t->max_columns);
	text_release(&cell);
}

void pick_table_add(struct pick_table *t, struct text *out, const cJSON *request)
{
	size_t start = out->len;

	if (!t->has_begun) {
		add_line(t, out, NULL);
		add_line(t, out, request); /* for the widths of its columns */
		text_truncate(out, start);
		add_line(t, out, NULL);
	}
	t->has_begun = true;
	add_line(t, out, request);
}
