/* SPDX-License-Identifier: Apache-2.0 */
#include "export/request_table.h"

#include <stdint.h>
#include <string.h>

#define RED    "\x1b[31m"
#define YELLOW "\x1b[33m"
#define PLAIN  "\x1b[0m"

/* Where the time of day begins in RFC 3339, and its length with microseconds. */
#define TIME_AT	 11
#define TIME_LEN 15

/* Of a target, what is to be seen in any case. */
#define TARGET_MIN 24
/* Of a line: an ellipsis has room. */
#define LINE_MIN 16

static const struct {
	const char *title;
	size_t width;
	bool is_right;
	enum request_field_kind kind;
	const char *member; /* NULL: add_value() makes it of several */
} columns[REQUEST_COLUMNS] = {
	[COLUMN_TIME] = {"TIME (UTC)", 15, false, FIELD_TIME, "time"},
	[COLUMN_CONTAINER] = {"CONTAINER", 9, false, FIELD_TEXT, "container"},
	[COLUMN_PROCESS] = {"PROCESS/THREAD", 14, false, FIELD_TEXT, NULL},
	[COLUMN_PEER] = {"PEER", 15, false, FIELD_TEXT, NULL},
	[COLUMN_CLIENT] = {"CLIENT", 15, false, FIELD_TEXT, "client"},
	[COLUMN_SERVER] = {"SERVER", 12, false, FIELD_TEXT, "server"},
	[COLUMN_METHOD] = {"METHOD", 6, false, FIELD_TEXT, "method"},
	[COLUMN_STATUS] = {"STATUS", 6, false, FIELD_TEXT, NULL},
	[COLUMN_DURATION] = {"DURATION", 10, true, FIELD_NS, "duration_ns"},
	[COLUMN_FIRST_BYTE] = {"FIRST BYTE", 10, true, FIELD_NS, "first_byte_ns"},
	[COLUMN_RECEIVE] = {"RECEIVE", 10, true, FIELD_NS, "receive_ns"},
	[COLUMN_WAIT] = {"WAIT", 10, true, FIELD_NS, "wait_ns"},
	[COLUMN_PROGRAM] = {"PROGRAM", 10, true, FIELD_NS, "program_ns"},
	[COLUMN_SEND] = {"SEND", 10, true, FIELD_NS, "send_ns"},
	[COLUMN_ROUND_TRIP] = {"ROUND TRIP", 10, true, FIELD_NS, "round_trip_ns"},
	[COLUMN_REQUEST] = {"REQUEST", 7, true, FIELD_NUMBER, "request_bytes"},
	[COLUMN_RESPONSE] = {"RESPONSE", 8, true, FIELD_NUMBER, "response_bytes"},
	[COLUMN_TARGET] = {"TARGET", 6, false, FIELD_TEXT, NULL},
};

void request_table_fit(struct request_table *t, size_t max_columns)
{
	static const enum request_column expendable[] = {
		COLUMN_FIRST_BYTE, COLUMN_REQUEST, COLUMN_RESPONSE, COLUMN_SERVER, COLUMN_CLIENT};
	size_t sum = TARGET_MIN;

	t->max_columns = max_columns && max_columns < LINE_MIN ? LINE_MIN : max_columns;
	for (int i = 0; i < COLUMN_TARGET; i++)
		sum += t->is_left_out[i] ? 0 : columns[i].width + 2;
	for (size_t i = 0; i < sizeof(expendable) / sizeof(expendable[0]); i++) {
		if (!max_columns || sum <= max_columns)
			return;
		if (t->is_left_out[expendable[i]])
			continue;
		t->is_left_out[expendable[i]] = true;
		sum -= columns[expendable[i]].width + 2;
	}
}

void request_table_init(struct request_table *t, bool has_both_ends)
{
	*t = (struct request_table){0};
	text_init(&t->cell);
	for (int i = 0; i < REQUEST_COLUMNS; i++)
		t->width[i] = columns[i].width;
	t->is_left_out[COLUMN_PEER] = has_both_ends;
	t->is_left_out[COLUMN_CLIENT] = t->is_left_out[COLUMN_SERVER] = !has_both_ends;
	request_table_show(t, false, false);
}

void request_table_show(struct request_table *t, bool has_stages, bool has_threads)
{
	t->is_left_out[COLUMN_PROCESS] = !has_threads;
	t->is_left_out[COLUMN_FIRST_BYTE] = has_stages;
	for (int i = COLUMN_RECEIVE; i <= COLUMN_ROUND_TRIP; i++)
		t->is_left_out[i] = !has_stages;
}

void request_table_release(struct request_table *t)
{
	text_release(&t->cell);
}

static void add_time(struct text *cell, const char *time)
{
	char part[TIME_LEN + 1] = "";

	if (strlen(time) > TIME_AT)
		(void)strncpy(part, time + TIME_AT, TIME_LEN); /* ends in a zero, too */
	request_add_printable(cell, part);
}

void request_table_add_member(struct text *cell, const cJSON *request, const char *name,
			      enum request_field_kind kind)
{
	double number = request_number(request, name);

	if (kind == FIELD_TIME)
		add_time(cell, request_string(request, name));
	else if (kind == FIELD_TEXT)
		request_add_printable(cell, request_string(request, name));
	else if (kind == FIELD_NS && number >= 0)
		text_addf(cell, "%.3f ms", number / 1e6);
	else if (kind == FIELD_NUMBER && number >= 0)
		text_addf(cell, "%.0f", number);
}

static void add_status(struct text *cell, const cJSON *request)
{
	const char *rpc = request_string(request, "rpc_status");
	const char *error = request_string(request, "error");
	double status = request_number(request, "status");

	if (*rpc)
		request_add_printable(cell, rpc);
	else if (status >= 0)
		text_addf(cell, "%.0f", status);
	if (!*rpc && *error) {
		if (cell->len)
			text_add_char(cell, ' ');
		request_add_printable(cell, error);
	}
}

/* The name, if it is known, the process, and its thread. */
static void add_process(struct text *cell, const cJSON *request)
{
	const char *name = request_string(request, "process_name");
	double process = request_number(request, "process");
	double thread = request_number(request, "thread");

	if (process < 1)
		return;
	request_add_printable(cell, *name ? name : "?");
	text_addf(cell, "/%.0f/%.0f", process, thread < 0 ? 0 : thread);
}

static const char *color_of(const cJSON *request)
{
	const char *rpc = request_string(request, "rpc_status");
	double status = request_number(request, "status");

	if (*request_string(request, "error") || status >= 500)
		return RED;
	return status >= 400 || (*rpc && strcmp(rpc, "OK") != 0) ? YELLOW : NULL;
}

static void add_value(struct text *cell, const cJSON *request, enum request_column i)
{
	bool is_client = strcmp(request_string(request, "role"), "client") == 0;
	const char *target = request_string(request, "target");

	if (columns[i].member) {
		request_table_add_member(cell, request, columns[i].member, columns[i].kind);
	} else if (i == COLUMN_PEER) {
		text_add(cell, is_client ? "> " : "");
		request_add_printable(cell,
				      request_string(request, is_client ? "server" : "client"));
	} else if (i == COLUMN_PROCESS) {
		add_process(cell, request);
	} else if (i == COLUMN_STATUS) {
		add_status(cell, request);
	} else {
		request_add_printable(cell, *target ? target : request_string(request, "route"));
	}
	if (cell->len == 0)
		text_add_char(cell, '-');
}

/* As much of the cell as there is room for. */
static void cut(struct text *cell, size_t room)
{
	if (cell->len <= room)
		return;
	text_truncate(cell, room > 3 ? room - 3 : 0);
	text_add_span(cell, (struct span){"...", room > 3 ? 3 : room});
}

/* Moves the cell to the line, of which *used columns are taken, with its color, or NULL. */
static void add_cell(struct request_table *t, struct text *out, enum request_column i, size_t *used,
		     const char *color)
{
	size_t gap = i ? 2 : 0;
	size_t width = t->cell.len > t->width[i] ? t->cell.len : t->width[i];
	int pad = (int)(width - t->cell.len);
	size_t room = t->max_columns ? t->max_columns - *used : SIZE_MAX;

	t->width[i] = width;
	if (i == COLUMN_TARGET)
		pad = 0;
	if (room < gap + width && i != COLUMN_TARGET) {
		*used = t->max_columns; /* nothing has room any more */
	} else if (room > gap) {
		cut(&t->cell, room - gap);
		text_addf(out, "%*s%*s%s%s%s%*s", (int)gap, "", columns[i].is_right ? pad : 0, "",
			  color ? color : "", t->cell.ptr, color ? PLAIN : "",
			  columns[i].is_right ? 0 : pad, "");
		*used += gap + width;
	}
	text_clear(&t->cell);
}

/* NULL: the titles. */
static void add_line(struct request_table *t, struct text *out, const cJSON *request)
{
	size_t used = 0;

	for (int i = 0; i < REQUEST_COLUMNS; i++) {
		if (t->is_left_out[i])
			continue;
		if (request)
			add_value(&t->cell, request, (enum request_column)i);
		else
			text_add(&t->cell, columns[i].title);
		add_cell(t, out, (enum request_column)i, &used,
			 request && i == COLUMN_STATUS && t->has_colors ? color_of(request) : NULL);
	}
	text_add_char(out, '\n');
}

/* The fields of a member of header_text.h, a line each. */
static void add_fields(struct request_table *t, struct text *out, const cJSON *request,
		       const char *member, char sign)
{
	const cJSON *field;

	cJSON_ArrayForEach(field, request_member(request, member))
	{
		size_t start = out->len;

		text_addf(out, "    %c ", sign);
		request_add_printable(out, request_string(field, "name"));
		text_add(out, ": ");
		request_add_printable(out, request_string(field, "value"));
		text_end_row(out, start, t->max_columns);
	}
}

static void add_headers(struct request_table *t, struct text *out, const cJSON *request)
{
	add_fields(t, out, request, "request_headers", '>');
	add_fields(t, out, request, "request_trailers", '>');
	add_fields(t, out, request, "response_headers", '<');
	add_fields(t, out, request, "response_trailers", '<');
	if (request_bool(request, "headers_cut"))
		text_add(out, "    (some of its header fields are missing, or cut)\n");
}

void request_table_add(struct request_table *t, struct text *out, const cJSON *request)
{
	size_t start = out->len;

	if (!t->has_begun) {
		t->is_left_out[COLUMN_CONTAINER] = !*request_string(request, "container");
		add_line(t, out, request); /* for the widths of its columns */
		text_truncate(out, start);
		add_line(t, out, NULL);
	}
	t->has_begun = true;
	add_line(t, out, request);
	if (t->shows_headers)
		add_headers(t, out, request);
}
