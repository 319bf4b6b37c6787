/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"

#define RED    "\x1b[31m"
#define YELLOW "\x1b[33m"
#define PLAIN  "\x1b[0m"

/* Where the time of day begins in RFC 3339, and its length with microseconds. */
#define TIME_AT	 11
#define TIME_LEN 15

static const struct {
	const char *title;
	size_t width;
	bool is_right;
} columns[TRACE_COLUMNS] = {
	[TRACE_TIME] = {"TIME (UTC)", 15, false},
	[TRACE_CONTAINER] = {"CONTAINER", 9, false},
	[TRACE_PEER] = {"PEER", 15, false},
	[TRACE_METHOD] = {"METHOD", 6, false},
	[TRACE_STATUS] = {"STATUS", 6, false},
	[TRACE_DURATION] = {"DURATION", 10, true},
	[TRACE_FIRST_BYTE] = {"FIRST BYTE", 10, true},
	[TRACE_REQUEST] = {"REQUEST", 7, true},
	[TRACE_RESPONSE] = {"RESPONSE", 8, true},
	[TRACE_TARGET] = {"TARGET", 6, false},
};

/* Of a target, what is to be seen in any case. */
#define TARGET_MIN 24

static void leave_out(struct trace_table *t)
{
	static const enum trace_column expendable[] = {TRACE_FIRST_BYTE, TRACE_REQUEST,
						       TRACE_RESPONSE};
	size_t sum = TARGET_MIN;

	for (int i = 0; i < TRACE_TARGET; i++)
		sum += columns[i].width + 2;
	for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++) {
		if (!t->max_columns || sum <= t->max_columns)
			return;
		t->is_left_out[expendable[i]] = true;
		sum -= columns[expendable[i]].width + 2;
	}
}

void trace_table_init(struct trace_table *t, int fd)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org/ */
	const char *term = getenv("TERM");

	*t = (struct trace_table){.max_columns = terminal_columns(fd)};
	t->has_colors = isatty(fd) && !(no_color && *no_color) && term && *term &&
			strcmp(term, "dumb") != 0;
	text_init(&t->out);
	text_init(&t->cell);
	for (int i = 0; i < TRACE_COLUMNS; i++)
		t->width[i] = columns[i].width;
	leave_out(t);
}

void trace_table_release(struct trace_table *t)
{
	text_release(&t->out);
	text_release(&t->cell);
}

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static const char *string_of(const cJSON *o, const char *name)
{
	const cJSON *item = member(o, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* -1: null. */
static double number_of(const cJSON *o, const char *name)
{
	const cJSON *item = member(o, name);

	return cJSON_IsNumber(item) ? item->valuedouble : -1;
}

/* The sidecar has escaped strangers' bytes; somebody else may have written the line. */
static void add_printable(struct text *cell, const char *s)
{
	for (; *s; s++) {
		if (*s >= ' ' && *s <= '~')
			text_add_char(cell, *s);
		else
			text_addf(cell, "\\x%02x", (unsigned char)*s);
	}
}

static void add_ms(struct text *cell, double ns)
{
	if (ns >= 0)
		text_addf(cell, "%.3f ms", ns / 1e6);
}

static void add_count(struct text *cell, double n)
{
	if (n >= 0)
		text_addf(cell, "%.0f", n);
}

static void add_time(struct text *cell, const char *time)
{
	char part[TIME_LEN + 1] = "";

	if (strlen(time) > TIME_AT)
		(void)strncpy(part, time + TIME_AT, TIME_LEN); /* ends in a zero, too */
	add_printable(cell, part);
}

static void add_status(struct text *cell, const cJSON *o)
{
	const char *rpc = string_of(o, "rpc_status");
	const char *error = string_of(o, "error");
	double status = number_of(o, "status");

	if (*rpc)
		add_printable(cell, rpc);
	else if (status >= 0)
		add_count(cell, status);
	if (!*rpc && *error) {
		if (cell->len)
			text_add_char(cell, ' ');
		add_printable(cell, error);
	}
}

static const char *color_of(const cJSON *o)
{
	const char *rpc = string_of(o, "rpc_status");
	double status = number_of(o, "status");

	if (*string_of(o, "error") || status >= 500)
		return RED;
	return status >= 400 || (*rpc && strcmp(rpc, "OK") != 0) ? YELLOW : NULL;
}

static void add_value(struct text *cell, const cJSON *o, enum trace_column i)
{
	bool is_client = strcmp(string_of(o, "role"), "client") == 0;

	switch (i) {
	case TRACE_TIME:
		add_time(cell, string_of(o, "time"));
		break;
	case TRACE_CONTAINER:
		add_printable(cell, string_of(o, "container"));
		break;
	case TRACE_PEER:
		text_add(cell, is_client ? "> " : "");
		add_printable(cell, string_of(o, is_client ? "server" : "client"));
		break;
	case TRACE_METHOD:
		add_printable(cell, string_of(o, "method"));
		break;
	case TRACE_STATUS:
		add_status(cell, o);
		break;
	case TRACE_DURATION:
		add_ms(cell, number_of(o, "duration_ns"));
		break;
	case TRACE_FIRST_BYTE:
		add_ms(cell, number_of(o, "first_byte_ns"));
		break;
	case TRACE_REQUEST:
		add_count(cell, number_of(o, "request_bytes"));
		break;
	case TRACE_RESPONSE:
		add_count(cell, number_of(o, "response_bytes"));
		break;
	case TRACE_TARGET:
		add_printable(cell, *string_of(o, "target") ? string_of(o, "target")
							    : string_of(o, "route"));
		break;
	case TRACE_COLUMNS:
		break;
	}
	if (cell->len == 0)
		text_add_char(cell, '-');
}

/* Moves the cell to the line that began at `start`, with its color, or NULL. */
static void add_cell(struct trace_table *t, enum trace_column i, size_t *used, const char *color)
{
	size_t gap = i ? 2 : 0;
	size_t width = t->cell.len > t->width[i] ? t->cell.len : t->width[i];
	int pad = (int)(width - t->cell.len);
	size_t room = t->max_columns ? t->max_columns - *used : SIZE_MAX;

	t->width[i] = width;
	if (i == TRACE_TARGET)
		pad = 0;
	if (room < gap + width && i != TRACE_TARGET) {
		*used = t->max_columns; /* nothing has room any more */
	} else if (room > gap) {
		text_addf(&t->out, "%*s%*s%s", (int)gap, "", columns[i].is_right ? pad : 0, "",
			  color ? color : "");
		text_add_span(&t->out,
			      (struct span){t->cell.ptr,
					    t->cell.len < room - gap ? t->cell.len : room - gap});
		text_addf(&t->out, "%s%*s", color ? PLAIN : "", columns[i].is_right ? 0 : pad, "");
		*used += gap + width;
	}
	text_clear(&t->cell);
}

static void add_line(struct trace_table *t, const cJSON *o)
{
	size_t used = 0;

	for (int i = 0; i < TRACE_COLUMNS; i++) {
		if (t->is_left_out[i])
			continue;
		if (o)
			add_value(&t->cell, o, (enum trace_column)i);
		else
			text_add(&t->cell, columns[i].title);
		add_cell(t, (enum trace_column)i, &used,
			 o && i == TRACE_STATUS && t->has_colors ? color_of(o) : NULL);
	}
	text_add_char(&t->out, '\n');
}

struct span trace_table_row(struct trace_table *t, const cJSON *request)
{
	text_clear(&t->out);
	if (!t->has_begun) {
		t->is_left_out[TRACE_CONTAINER] = !*string_of(request, "container");
		add_line(t, request); /* for the widths of its columns */
		text_clear(&t->out);
		add_line(t, NULL);
	}
	t->has_begun = true;
	add_line(t, request);
	return text_span(&t->out);
}
