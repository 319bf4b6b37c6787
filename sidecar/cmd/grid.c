/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before the first column: the mark of the selection. */
#define MARGIN 2
#define GAP    2

void grid_init(struct grid *g, const struct grid_column *columns, int count, int sort)
{
	*g = (struct grid){.columns = columns, .column_count = count, .sort = sort};
}

void grid_release(struct grid *g)
{
	free(g->rows);
	free((void *)g->shown);
	*g = (struct grid){0};
}

void grid_clear(struct grid *g)
{
	g->count = 0;
}

struct grid_row *grid_add(struct grid *g)
{
	if (g->count == g->alloc) {
		size_t alloc = g->alloc ? g->alloc * 2 : 64;
		struct grid_row *rows = calloc(alloc, sizeof(*rows));
		struct grid_row **shown = calloc(alloc, sizeof(struct grid_row *));

		if (!rows || !shown) {
			free(rows);
			free((void *)shown);
			return NULL;
		}
		if (g->count)
			memcpy(rows, g->rows, g->count * sizeof(*rows));
		for (size_t i = 0; i < g->shown_count; i++)
			shown[i] = rows + (g->shown[i] - g->rows);
		free(g->rows);
		free((void *)g->shown);
		g->rows = rows;
		g->shown = shown;
		g->alloc = alloc;
	}
	g->rows[g->count] = (struct grid_row){0};
	return &g->rows[g->count++];
}

void grid_drop_oldest(struct grid *g)
{
	if (!g->count)
		return;
	g->count--;
	memmove(g->rows, g->rows + 1, g->count * sizeof(*g->rows));
}

void grid_copy(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size);
	size_t max = size - 1;

	for (size_t i = 0; i < len && i < max; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	to[len < max ? len : max] = '\0';
	if (len > max)
		memcpy(to + max - 3, "...", 4);
}

static const char *text_of(const struct grid *g, const struct grid_row *row, int column)
{
	return g->columns[column].is_name ? row->name : row->cell[column];
}

static bool matches(const struct grid *g, const struct grid_row *row)
{
	if (!*g->filter)
		return true;
	for (int i = 0; i < g->column_count; i++)
		if (strcasestr(text_of(g, row, i), g->filter))
			return true;
	return false;
}

/* qsort_r() hands the grid to it. Rows that are equal have a fixed order, or they would flicker. */
static int compare(const void *a, const void *b, void *ctx)
{
	const struct grid_row *left = *(struct grid_row *const *)a;
	const struct grid_row *right = *(struct grid_row *const *)b;
	const struct grid *g = ctx;
	const struct grid_column *column = &g->columns[g->sort];
	int order = 0;

	if (column->is_name)
		order = strcmp(left->name, right->name);
	else if (left->key[g->sort] != right->key[g->sort])
		order = left->key[g->sort] < right->key[g->sort] ? -1 : 1;
	if (column->is_ascending == g->is_reversed)
		order = -order;
	if (!order)
		order = strcmp(left->name, right->name);
	return order ? order : left->id < right->id ? -1 : left->id > right->id;
}

void grid_arrange(struct grid *g)
{
	g->shown_count = 0;
	for (size_t i = 0; i < g->count; i++)
		if (matches(g, &g->rows[i]))
			g->shown[g->shown_count++] = &g->rows[i];
	if (g->shown_count > 1)
		qsort_r((void *)g->shown, g->shown_count, sizeof(struct grid_row *), compare, g);
	for (size_t i = 0; g->selected_id && i < g->shown_count; i++)
		if (g->shown[i]->id == g->selected_id)
			g->selected = i;
	grid_move(g, 0);
}

const struct grid_row *grid_selected(const struct grid *g)
{
	return g->selected < g->shown_count ? g->shown[g->selected] : NULL;
}

void grid_move(struct grid *g, long by)
{
	long at = (long)g->selected + by;
	long last = (long)g->shown_count - 1;

	if (at > last)
		at = last;
	g->selected = at < 0 ? 0 : (size_t)at;
	g->selected_id = g->selected ? g->shown[g->selected]->id : 0;
}

/* Nobody sees by what it would be sorted. */
static bool is_left_out(const struct grid *g, int column)
{
	return g->is_fitted && g->shown_count && !g->width[column];
}

void grid_sort_next(struct grid *g, int by)
{
	for (int i = 0; i < g->column_count; i++) {
		g->sort = (g->sort + by + g->column_count) % g->column_count;
		if (!g->columns[g->sort].is_fixed && !is_left_out(g, g->sort))
			break;
	}
	g->is_reversed = false;
	grid_arrange(g);
}

void grid_reverse(struct grid *g)
{
	g->is_reversed = !g->is_reversed;
	grid_arrange(g);
}

/* --- lines --------------------------------------------------------------------------- */

static void measure(struct grid *g, int column)
{
	size_t title = strlen(g->columns[column].title) + 1; /* with the mark of the order */
	size_t max = 0;

	for (size_t i = 0; i < g->shown_count; i++) {
		size_t len = strlen(text_of(g, g->shown[i], column));

		max = len > max ? len : max;
	}
	if (!max && g->shown_count)
		title = 0; /* it is left out */
	g->width[column] = (int)(title > max ? title : max);
}

/* What all columns take but the name. */
static size_t others(const struct grid *g)
{
	size_t sum = MARGIN;

	for (int i = 0; i < g->column_count; i++)
		if (g->width[i] && !g->columns[i].is_name)
			sum += (size_t)g->width[i] + GAP;
	return sum;
}

/* Returns false if all that are left stay. */
static bool leave_out_one(struct grid *g)
{
	int worst = -1;

	for (int i = 0; i < g->column_count; i++)
		if (g->width[i] && g->columns[i].rank &&
		    (worst < 0 || g->columns[i].rank >= g->columns[worst].rank))
			worst = i;
	if (worst < 0)
		return false;
	g->width[worst] = 0;
	return true;
}

void grid_fit(struct grid *g, size_t width, size_t lines)
{
	size_t room;
	int name = 0;

	g->is_fitted = true;
	for (int i = 0; i < g->column_count; i++) {
		measure(g, i);
		if (g->columns[i].is_name)
			name = i;
	}
	while (others(g) + GRID_NAME_MIN > width && leave_out_one(g))
		;
	room = width > others(g) ? width - others(g) : 1;
	if ((size_t)g->width[name] > room)
		g->width[name] = (int)room;
	if (g->selected < g->top)
		g->top = g->selected;
	if (lines && g->selected >= g->top + lines)
		g->top = g->selected - lines + 1;
	if (g->top + lines > g->shown_count)
		g->top = g->shown_count > lines ? g->shown_count - lines : 0;
}

/* `room` columns are left on the line. */
static void add_cell(struct text *out, const char *cell, int width, bool is_right, size_t room)
{
	size_t start = out->len;
	bool is_cut = width > 3 && strlen(cell) > (size_t)width;
	int shown = is_cut ? width - 3 : width;

	text_addf(out, is_right ? "%*.*s%s" : "%-*.*s%s", shown, shown, cell, is_cut ? "..." : "");
	if (out->len - start > room)
		text_truncate(out, start + room);
}

static void add_line(const struct grid *g, struct text *out, const struct grid_row *row,
		     size_t width)
{
	size_t start = out->len;

	text_addf(out, "%-*.*s", MARGIN, (int)width, row && row == grid_selected(g) ? ">" : "");
	for (int i = 0; i < g->column_count; i++) {
		char title[GRID_CELL];
		size_t used = out->len - start;

		if (!g->width[i] || used >= width)
			continue;
		(void)snprintf(title, sizeof(title), "%s%s", g->columns[i].title,
			       i == g->sort ? "*" : ""); /* it has room */
		add_cell(out, row ? text_of(g, row, i) : title, g->width[i], g->columns[i].is_right,
			 width - used);
		if (i + 1 < g->column_count && out->len - start + GAP < width)
			text_addf(out, "%*s", GAP, "");
	}
	if (out->len - start > width)
		text_truncate(out, start + width);
}

void grid_add_titles(const struct grid *g, struct text *out, size_t width)
{
	add_line(g, out, NULL, width);
}

void grid_add_row(const struct grid *g, struct text *out, const struct grid_row *row, size_t width)
{
	add_line(g, out, row, width);
}
