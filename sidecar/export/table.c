/* SPDX-License-Identifier: Apache-2.0 */
#include "export/table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/grpc.h"

#define COLUMNS	     10
#define CELL_SIZE    64
#define ROUTE_MIN    16 /* in a narrow terminal */
#define STATUSES_MIN 10 /* likewise: one status and its count */

enum column { METHOD, ROUTE, REQUESTS, RATE, ERRORS, P50, P90, P99, MAX, STATUSES };

static const char *const titles[COLUMNS] = {"method", "route", "requests", "rate/s", "errors",
					    "p50",    "p90",   "p99",	   "max",    "statuses"};

/* Everything but the statuses, which come last and need no alignment. */
struct line {
	char cell[STATUSES][CELL_SIZE];
};

/* 1234567 as 1,234,567 */
static void format_count(char *buf, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		*buf++ = digits[i];
		if (i + 1 < len && (len - i - 1) % 3 == 0)
			*buf++ = ',';
	}
	*buf = '\0';
}

static void format_rate(char *buf, uint64_t count, uint64_t elapsed_ns)
{
	double rate = elapsed_ns ? (double)count * 1e9 / (double)elapsed_ns : 0;
	uint64_t tenths = (uint64_t)(rate * 10 + .5);
	size_t len;

	format_count(buf, tenths / 10);
	len = strlen(buf);
	(void)snprintf(buf + len, CELL_SIZE - len, ".%u", (unsigned)(tenths % 10));
}

static void format_share(char *buf, uint64_t part, uint64_t whole)
{
	double share = whole ? (double)part * 100 / (double)whole : 0;

	/* One error in a million must not look like none, nor one success like none. */
	if (part > 0 && share < .1)
		(void)snprintf(buf, CELL_SIZE, "<0.1 %%");
	else if (part < whole && share > 99.9)
		(void)snprintf(buf, CELL_SIZE, ">99.9 %%");
	else
		(void)snprintf(buf, CELL_SIZE, "%.1f %%", share);
}

static void format_duration(char *buf, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double value = (double)ns / (double)units[i].ns;

		if (ns < units[i].ns)
			continue;
		(void)snprintf(buf, CELL_SIZE, "%.*f %s",
			       value < 9.995   ? 2
			       : value < 99.95 ? 1
					       : 0,
			       value, units[i].unit);
		return;
	}
	(void)snprintf(buf, CELL_SIZE, "%u ns", (unsigned)ns);
}

void table_add_duration(struct text *out, uint64_t ns)
{
	char buf[CELL_SIZE];

	format_duration(buf, ns);
	text_add(out, buf);
}

void table_copy_name(char buf[TABLE_NAME_SIZE], const char *name)
{
	size_t max = TABLE_NAME_SIZE - 1;
	size_t len = strnlen(name, max + 1);

	for (size_t i = 0; i < len && i < max; i++)
		buf[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	buf[len < max ? len : max] = '\0';
	if (len > max)
		memcpy(buf + max - 3, "...", 4);
}

static void line_fill(struct line *line, const struct summary_row *row, uint64_t elapsed_ns)
{
	const struct latency *l = &row->latency;

	table_copy_name(line->cell[METHOD], row->key.method);
	table_copy_name(line->cell[ROUTE], row->key.route);
	format_count(line->cell[REQUESTS], l->count);
	format_rate(line->cell[RATE], l->count, elapsed_ns);
	format_share(line->cell[ERRORS], row->errors, l->count);
	format_duration(line->cell[P50], latency_quantile(l, .5));
	format_duration(line->cell[P90], latency_quantile(l, .9));
	format_duration(line->cell[P99], latency_quantile(l, .99));
	format_duration(line->cell[MAX], l->max_ns);
}

/* The widths of columns; 0: it is left out. */
struct layout {
	int width[STATUSES];
	size_t max_columns; /* 0: no limit */
};

/* Without the statuses. */
static size_t layout_columns(const struct layout *l)
{
	size_t sum = 3;

	for (int c = 0; c < STATUSES; c++)
		sum += l->width[c] ? (size_t)l->width[c] + 2 : 0;
	return sum;
}

/* Makes routes shorter, then leaves columns out, until the statuses have room. */
static void layout_fit(struct layout *l)
{
	static const enum column expendable[] = {P90, RATE, MAX, P50, ERRORS};
	size_t want = layout_columns(l) + STATUSES_MIN;
	int spare = l->width[ROUTE] > ROUTE_MIN ? l->width[ROUTE] - ROUTE_MIN : 0;

	if (l->max_columns == 0 || want <= l->max_columns)
		return;
	if ((size_t)spare > want - l->max_columns)
		spare = (int)(want - l->max_columns);
	l->width[ROUTE] -= spare;
	for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++)
		if (layout_columns(l) + STATUSES_MIN > l->max_columns)
			l->width[expendable[i]] = 0;
}

/* Ends a line that began at `start`, cut if it is too long. */
static void end_line(struct text *out, const struct layout *l, size_t start)
{
	if (l->max_columns && out->len - start > l->max_columns)
		text_truncate(out, start + l->max_columns);
	text_add_char(out, '\n');
}

static void add_cells(struct text *out, const char *const cell[STATUSES], const struct layout *l)
{
	text_add_char(out, ' ');
	for (int c = 0; c < STATUSES; c++) {
		int width = l->width[c];

		if (c > ROUTE && width) /* numbers to the right */
			text_addf(out, "  %*s", width, cell[c]);
		else if ((int)strlen(cell[c]) > width && width)
			text_addf(out, "  %.*s...", width - 3, cell[c]);
		else if (width) /* names to the left */
			text_addf(out, "  %*s", -width, cell[c]);
	}
	text_add(out, "  ");
}

static int status_compare(const void *a, const void *b)
{
	const struct summary_status *left = a;
	const struct summary_status *right = b;

	return left->count < right->count ? 1 : left->count > right->count ? -1 : 0;
}

static void add_statuses(struct text *out, const struct summary_row *row)
{
	struct summary_status sorted[SUMMARY_STATUSES];
	const char *space = "";

	memcpy(sorted, row->status, sizeof(sorted));
	qsort(sorted, SUMMARY_STATUSES, sizeof(sorted[0]), status_compare);
	for (size_t i = 0; i < SUMMARY_STATUSES && sorted[i].count; i++, space = " ") {
		char digits[GRPC_STATUS_SIZE];

		text_addf(out, "%s%s:%" PRIu64, space,
			  summary_status_name(row, sorted[i].status, digits), sorted[i].count);
	}
	if (row->status_other) {
		text_addf(out, "%sother:%" PRIu64, space, row->status_other);
		space = " ";
	}
	for (int e = TXN_OK + 1; e < TXN_ERROR_MAX; e++) {
		if (row->failed[e] == 0)
			continue;
		text_addf(out, "%s%s:%" PRIu64, space, txn_error_name((enum txn_error)e),
			  row->failed[e]);
		space = " ";
	}
}

static void add_title(struct text *out, enum role role, uint64_t count, uint64_t errors,
		      uint64_t elapsed_ns)
{
	char number[CELL_SIZE];
	char rate[CELL_SIZE];
	char share[CELL_SIZE];
	char time[CELL_SIZE];

	format_count(number, count);
	format_rate(rate, count, elapsed_ns);
	format_share(share, errors, count);
	format_duration(time, elapsed_ns);
	text_addf(out, " %s request%s %s in %s: %s/s, %s errors\n\n", number, count == 1 ? "" : "s",
		  role == ROLE_CLIENT ? "made" : "served", time, rate, share);
}

static bool has_role(struct summary *s, enum role role)
{
	for (size_t i = 0; i < summary_row_count(s); i++)
		if (summary_row(s, i)->key.role == role)
			return true;
	return false;
}

static void add_role(struct text *out, struct summary *s, enum role role, uint64_t elapsed_ns,
		     size_t max_columns)
{
	size_t rows = summary_row_count(s);
	struct line *lines = calloc(rows, sizeof(*lines));
	const char *cell[STATUSES];
	struct layout layout = {.max_columns = max_columns};
	uint64_t count = 0;
	size_t start;
	uint64_t errors = 0;

	if (!lines) {
		out->has_failed = true;
		return;
	}
	for (int c = 0; c < STATUSES; c++)
		layout.width[c] = (int)strlen(titles[c]);
	for (size_t i = 0; i < rows; i++) {
		const struct summary_row *row = summary_row(s, i);

		if (row->key.role != role)
			continue;
		count += row->latency.count;
		errors += row->errors;
		line_fill(&lines[i], row, elapsed_ns);
		for (int c = 0; c < STATUSES; c++)
			if ((int)strlen(lines[i].cell[c]) > layout.width[c])
				layout.width[c] = (int)strlen(lines[i].cell[c]);
	}
	layout_fit(&layout);
	add_title(out, role, count, errors, elapsed_ns);
	start = out->len;
	add_cells(out, titles, &layout);
	text_add(out, titles[STATUSES]);
	end_line(out, &layout, start);
	for (size_t i = 0; i < rows; i++) {
		const struct summary_row *row = summary_row(s, i);

		if (row->key.role != role)
			continue;
		for (int c = 0; c < STATUSES; c++)
			cell[c] = lines[i].cell[c];
		start = out->len;
		add_cells(out, cell, &layout);
		add_statuses(out, row);
		end_line(out, &layout, start);
	}
	free(lines);
}

void table_add(struct text *out, struct summary *s, uint64_t elapsed_ns, size_t max_columns)
{
	bool has_server = has_role(s, ROLE_SERVER);
	bool has_client = has_role(s, ROLE_CLIENT);

	if (elapsed_ns == 0)
		elapsed_ns = summary_elapsed_ns(s);
	if (has_server)
		add_role(out, s, ROLE_SERVER, elapsed_ns, max_columns);
	if (has_server && has_client)
		text_add_char(out, '\n');
	if (has_client)
		add_role(out, s, ROLE_CLIENT, elapsed_ns, max_columns);
	if (!has_server && !has_client)
		text_add(out, " no HTTP requests seen\n");
}
