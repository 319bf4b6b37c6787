/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_connections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "cmd/top_cells.h"

enum {
	PEER,
	LOCAL,
	CONTAINER,
	AGE,
	RTT,
	RETRANSMITS,
	RECEIVED,
	SENT,
	LIMITED,
	WINDOW,
	REQUESTS,
	OPEN,
	COLUMNS,
};

static const struct grid_column columns[COLUMNS] = {
	[PEER] = {.title = "PEER", .is_name = true, .is_ascending = true},
	[LOCAL] = {.title = "LOCAL", .rank = 4, .is_fixed = true},
	[CONTAINER] = {.title = "CONTAINER", .rank = 7, .is_fixed = true},
	[AGE] = {.title = "AGE", .rank = 1, .is_right = true},
	[RTT] = {.title = "RTT", .is_right = true},
	[RETRANSMITS] = {.title = "RETRANS", .is_right = true},
	[RECEIVED] = {.title = "RECEIVED", .rank = 3, .is_right = true},
	[SENT] = {.title = "SENT", .rank = 2, .is_right = true},
	[LIMITED] = {.title = "LIMITED", .rank = 6, .is_right = true},
	[WINDOW] = {.title = "ZERO", .rank = 8, .is_fixed = true},
	[REQUESTS] = {.title = "REQUESTS", .is_right = true},
	[OPEN] = {.title = "OPEN", .rank = 5, .is_right = true},
};

static int column_of(enum top_sort sort)
{
	switch (sort) {
	case TOP_SORT_RTT:
		return RTT;
	case TOP_SORT_RETRANSMITS:
		return RETRANSMITS;
	case TOP_SORT_AGE:
		return AGE;
	case TOP_SORT_BYTES:
		return SENT;
	default:
		return REQUESTS;
	}
}

void top_connections_init(struct grid *g, enum top_sort sort)
{
	grid_init(g, columns, COLUMNS, column_of(sort));
}

/* Several have the same peer: their own ends tell them apart. */
static uint64_t id_of(const char *peer, const char *local)
{
	return hash_bytes(local, strlen(local), hash_bytes(peer, strlen(peer), 0)) | 1;
}

static void put_count(struct grid_row *row, int column, const cJSON *o, const char *name)
{
	double n = top_cell_number(o, name);

	if (n >= 0)
		top_cell_put(row, column, n, "%.0f", n);
}

static void fill(struct grid_row *row, const cJSON *o)
{
	const char *peer = top_cell_string(o, "peer");
	const char *local = top_cell_string(o, "local");
	double age = top_cell_number(o, "age_ns");
	char shown[GRID_NAME];

	(void)snprintf(shown, sizeof(shown), "%s%s", top_cell_is_client(o) ? "> " : "", peer);
	grid_copy(row->name, sizeof(row->name), shown);
	grid_copy(row->whole, sizeof(row->whole), peer);
	grid_copy(row->cell[LOCAL], GRID_CELL, local);
	grid_copy(row->cell[CONTAINER], GRID_CELL, top_cell_string(o, "container"));
	grid_copy(row->cell[WINDOW], GRID_CELL, top_cell_string(o, "zero_window"));
	if (age >= 0)
		top_cell_put(row, AGE, age, age < 60e9 ? "%.1f s" : "%.0f s", age / 1e9);
	top_cell_put_time(row, RTT, top_cell_number(o, "rtt_ns"));
	put_count(row, RETRANSMITS, o, "retransmits");
	top_cell_put_bytes(row, RECEIVED, top_cell_number(o, "bytes_received"));
	top_cell_put_bytes(row, SENT, top_cell_number(o, "bytes_sent"));
	top_cell_put_time(row, LIMITED, top_cell_number(o, "limited_ns"));
	put_count(row, REQUESTS, o, "requests");
	put_count(row, OPEN, o, "requests_open");
	row->id = id_of(peer, local);
	row->is_bad = *row->cell[WINDOW] || row->key[RETRANSMITS] > 0;
}

void top_connections_fill(struct grid *g, const cJSON *line)
{
	const cJSON *o;

	grid_clear(g);
	cJSON_ArrayForEach(o, cJSON_GetObjectItemCaseSensitive(line, "connections"))
	{
		struct grid_row *row = grid_add(g);

		if (row)
			fill(row, o);
	}
	grid_arrange(g);
}

/* A screen of this width leaves nothing out: the longest cells are addresses. */
#define ANY_WIDTH 1000

static void add_rows(struct text *out, struct grid *g, size_t max_columns)
{
	size_t width = max_columns ? max_columns : ANY_WIDTH;
	size_t start = out->len;

	grid_fit(g, width, g->shown_count);
	grid_add_titles(g, out, width);
	text_end_row(out, start, max_columns);
	for (size_t i = 0; i < g->shown_count; i++) {
		start = out->len;
		grid_add_row(g, out, g->shown[i], width);
		text_end_row(out, start, max_columns);
	}
}

int top_connections_add(struct text *out, const cJSON *line, enum top_sort sort, size_t max_columns)
{
	double open = top_cell_number(line, "connections_open");
	double left_out = top_cell_number(line, "left_out");
	struct grid g;

	if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(line, "connections")) || open < 0)
		return -EINVAL;
	text_addf(out, " %.0f connection%s open", open, open == 1 ? "" : "s");
	if (left_out > 0)
		text_addf(out, "; %.0f of them are left out", left_out);
	if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(line, "complete")))
		text_add(out, "; the list is not complete");
	text_add_char(out, '\n');
	top_connections_init(&g, sort);
	top_connections_fill(&g, line);
	if (g.shown_count) {
		text_add_char(out, '\n');
		add_rows(out, &g, max_columns);
	}
	grid_release(&g);
	return 0;
}
