/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/table.h"
#include "txn/stages.h"

#define CELL_SIZE 72

enum column {
	METHOD,
	ROUTE,
	REQUESTS,
	RATE,
	ERRORS,
	P50,
	P90,
	P99,
	MAX,
	RECEIVE,
	WAIT,
	PROGRAM,
	SEND,
	STATUSES,
	COLUMNS,
};

static const struct {
	const char *title;
	const char *member; /* NULL: made of several */
	bool is_time;
} columns[COLUMNS] = {
	[METHOD] = {"METHOD", NULL, false},
	[ROUTE] = {"ROUTE", NULL, false},
	[REQUESTS] = {"REQUESTS", "requests", false},
	[RATE] = {"RATE/S", NULL, false},
	[ERRORS] = {"ERRORS", "errors", false},
	[P50] = {"P50", "p50_ns", true},
	[P90] = {"P90", "p90_ns", true},
	[P99] = {"P99", "p99_ns", true},
	[MAX] = {"MAX", "max_ns", true},
	[RECEIVE] = {"RECEIVE", NULL, false},
	[WAIT] = {"WAIT", NULL, false},
	[PROGRAM] = {"PROGRAM", NULL, false},
	[SEND] = {"SEND", NULL, false},
	[STATUSES] = {"STATUSES", NULL, false},
};

static const enum column sort_columns[] = {
	[TOP_SORT_REQUESTS] = REQUESTS,
	[TOP_SORT_ERRORS] = ERRORS,
	[TOP_SORT_P50] = P50,
	[TOP_SORT_P90] = P90,
	[TOP_SORT_P99] = P99,
	[TOP_SORT_MAX] = MAX,
	[TOP_SORT_ROUTE] = ROUTE,
	/* Refused: they are of connections. */
	[TOP_SORT_RTT] = REQUESTS,
	[TOP_SORT_RETRANSMITS] = REQUESTS,
	[TOP_SORT_AGE] = REQUESTS,
	[TOP_SORT_BYTES] = REQUESTS,
};

/* Everything but the statuses, which come last and need no alignment. */
struct line {
	char cell[STATUSES][CELL_SIZE];
	const cJSON *row;
	double key;
};

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *item = member(o, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *string_of(const cJSON *o, const char *name)
{
	const cJSON *item = member(o, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

static void copy_time(char *cell, double ns)
{
	struct text t;

	text_init(&t);
	table_add_duration(&t, ns > 0 ? (uint64_t)ns : 0);
	(void)snprintf(cell, CELL_SIZE, "%s", t.ptr); /* a few characters */
	text_release(&t);
}

/* The member of a stage that explains the column that rows are sorted by. */
static const char *stage_member(enum column sort)
{
	return sort == P50   ? "p50_ns"
	       : sort == P90 ? "p90_ns"
	       : sort == MAX ? "slowest_ns"
			     : "p99_ns";
}

static void fill_stages(struct line *line, const cJSON *row, enum column sort)
{
	for (int i = 0; i < STAGE_MAX; i++) {
		const cJSON *stage = member(member(row, "stages"), stage_name((enum stage)i));
		const cJSON *ns = member(stage, stage_member(sort));

		if (cJSON_IsNumber(ns))
			copy_time(line->cell[RECEIVE + i], ns->valuedouble);
		else
			(void)strcpy(line->cell[RECEIVE + i], "-"); /* has room */
	}
}

/* The route or the peer; of a process or thread its number. */
static void copy_name(char *cell, const cJSON *row)
{
	double number = number_of(row, member(row, "thread") ? "thread" : "process");

	if (number > 0)
		(void)snprintf(cell, CELL_SIZE, "%.0f", number); /* has room */
	else if (cJSON_IsTrue(member(row, "is_rest")))
		(void)snprintf(cell, CELL_SIZE, "_OTHER"); /* has room, as the next */
	else if (member(row, "process"))
		(void)snprintf(cell, CELL_SIZE, "not known");
	else
		table_copy_name(cell, string_of(row, member(row, "peer") ? "peer" : "route"));
}

static void fill(struct line *line, const cJSON *row, enum column sort)
{
	bool is_client = strcmp(string_of(row, "role"), "client") == 0;
	char method[TABLE_NAME_SIZE];

	table_copy_name(method, string_of(row, "method"));
	(void)snprintf(line->cell[METHOD], CELL_SIZE, "%s%.60s", is_client ? "> " : "", method);
	copy_name(line->cell[ROUTE], row);
	(void)snprintf(line->cell[RATE], CELL_SIZE, "%.1f", number_of(row, "rate"));
	for (int c = REQUESTS; c < STATUSES; c++) {
		if (columns[c].is_time)
			copy_time(line->cell[c], number_of(row, columns[c].member));
		else if (columns[c].member)
			(void)snprintf(line->cell[c], CELL_SIZE, "%.0f",
				       number_of(row, columns[c].member));
	}
	fill_stages(line, row, sort);
	line->row = row;
	line->key = columns[sort].member ? number_of(row, columns[sort].member) : 0;
}

static int compare(const void *a, const void *b)
{
	const struct line *left = a;
	const struct line *right = b;

	if (left->key != right->key)
		return left->key < right->key ? 1 : -1;
	return strcmp(left->cell[ROUTE], right->cell[ROUTE]);
}

static void add_line(struct text *out, const struct line *line, const int *width)
{
	text_add(out, "  ");
	for (int c = 0; c < STATUSES; c++)
		text_addf(out, c <= ROUTE ? "%-*s  " : "%*s  ", width[c], line->cell[c]);
}

static void add_statuses(struct text *out, const cJSON *row)
{
	const cJSON *item;
	char name[TABLE_NAME_SIZE];

	cJSON_ArrayForEach(item, member(row, "statuses"))
	{
		table_copy_name(name, item->string);
		text_addf(out, "%s:%.0f ", name, cJSON_IsNumber(item) ? item->valuedouble : 0);
	}
}

static void add_first_line(struct text *out, const cJSON *window)
{
	double seconds = number_of(window, "seconds");
	double requests = number_of(window, "requests");
	double errors = 0;
	const cJSON *row;

	cJSON_ArrayForEach(row, member(window, "routes")) errors += number_of(row, "errors");
	text_addf(out,
		  " %.0f requests in %.1f s: %.1f/s, %.0f with an error; %.0f requests and %.0f "
		  "connections open\n",
		  requests, seconds, seconds > 0 ? requests / seconds : 0, errors,
		  number_of(window, "requests_open"), number_of(window, "connections_open"));
}

static const char *title_of(int column, const char *by)
{
	if (column == ROUTE && strcmp(by, "route") != 0)
		return strcmp(by, "peer") == 0	    ? "PEER"
		       : strcmp(by, "process") == 0 ? "PROCESS"
						    : "THREAD";
	return columns[column].title;
}

static void add_lines(struct text *out, const struct line *lines, size_t count, const char *by,
		      size_t max_columns)
{
	struct line titles;
	int width[STATUSES];
	size_t start = out->len;

	for (int c = 0; c < STATUSES; c++) {
		(void)snprintf(titles.cell[c], CELL_SIZE, "%s", title_of(c, by)); /* has room */
		width[c] = (int)strlen(titles.cell[c]);
		for (size_t i = 0; i < count; i++)
			if ((int)strlen(lines[i].cell[c]) > width[c])
				width[c] = (int)strlen(lines[i].cell[c]);
	}
	add_line(out, &titles, width);
	text_add(out, columns[STATUSES].title);
	text_end_row(out, start, max_columns);
	for (size_t i = 0; i < count; i++) {
		start = out->len;
		add_line(out, &lines[i], width);
		add_statuses(out, lines[i].row);
		text_end_row(out, start, max_columns);
	}
}

int top_table_add(struct text *out, const cJSON *window, enum top_sort sort, size_t max_columns)
{
	const cJSON *rows = member(window, "routes");
	size_t count = (size_t)cJSON_GetArraySize(rows);
	struct line *lines;
	const cJSON *row;
	size_t n = 0;

	if (!cJSON_IsArray(rows))
		return -EINVAL;
	add_first_line(out, window);
	if (!count)
		return 0;
	lines = calloc(count, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	cJSON_ArrayForEach(row, rows) fill(&lines[n++], row, sort_columns[sort]);
	qsort(lines, count, sizeof(*lines), compare);
	text_add_char(out, '\n');
	add_lines(out, lines, count, string_of(window, "by"), max_columns);
	free(lines);
	return 0;
}
