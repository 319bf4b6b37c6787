/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "cmd/top_cells.h"
#include "cmd/top_connections.h"
#include "txn/stages.h"

/* Where the time of day begins in RFC 3339, and its length with milliseconds. */
#define TIME_AT	 11
#define TIME_LEN 12

enum {
	METHOD,
	NAME,
	RATE,
	ERRORS,
	P50,
	P90,
	P99,
	RECEIVE,
	WAIT,
	PROGRAM,
	SEND,
	MAX,
	OPEN,
	IN,
	OUT,
	COLUMNS,
};

#define NUMBERS                                                                                    \
	[RATE] = {.title = "RATE/S", .is_right = true},                                            \
	[ERRORS] = {.title = "ERRORS", .rank = 1, .is_right = true},                               \
	[P50] = {.title = "P50", .rank = 5, .is_right = true},                                     \
	[P90] = {.title = "P90", .rank = 6, .is_right = true},                                     \
	[P99] = {.title = "P99", .is_right = true},                                                \
	[RECEIVE] = {.title = "RECEIVE", .rank = 11, .is_right = true},                            \
	[WAIT] = {.title = "WAIT", .rank = 12, .is_right = true},                                  \
	[PROGRAM] = {.title = "PROGRAM", .rank = 9, .is_right = true},                             \
	[SEND] = {.title = "SEND", .rank = 10, .is_right = true},                                  \
	[MAX] = {.title = "MAX", .rank = 7, .is_right = true},                                     \
	[OPEN] = {.title = "OPEN", .rank = 2, .is_right = true},                                   \
	[IN] = {.title = "IN/S", .rank = 8, .is_right = true},                                     \
	[OUT] = {.title = "OUT/S", .rank = 3, .is_right = true}

#define VIEW(word)                                                                                 \
	{                                                                                          \
		[METHOD] = {.title = "METHOD", .rank = 4, .is_fixed = true},                       \
		[NAME] = {.title = (word), .is_name = true, .is_ascending = true}, NUMBERS,        \
	}

static const struct grid_column columns[TOP_CONNECTIONS][COLUMNS] = {
	[TOP_ROUTES] = VIEW("ROUTE"),
	[TOP_PEERS] = VIEW("PEER"),
	[TOP_PROCESSES] = VIEW("PROCESS"),
	[TOP_THREADS] = VIEW("PROCESS/THREAD"),
};

static const struct {
	const char *by;
	const char *title;
	const char *parameter;
} views[TOP_VIEWS] = {
	[TOP_ROUTES] = {"route", "routes", "route"},
	[TOP_PEERS] = {"peer", "peers", "peer"},
	[TOP_PROCESSES] = {"process", "processes", "process"},
	[TOP_THREADS] = {"thread", "threads", "thread"},
	[TOP_CONNECTIONS] = {"connection", "connections", "peer"},
};

static const int sort_columns[] = {
	[TOP_SORT_REQUESTS] = RATE,
	[TOP_SORT_ERRORS] = ERRORS,
	[TOP_SORT_P50] = P50,
	[TOP_SORT_P90] = P90,
	[TOP_SORT_P99] = P99,
	[TOP_SORT_MAX] = MAX,
	[TOP_SORT_ROUTE] = NAME,
	/* Connections only: */
	[TOP_SORT_RTT] = RATE,
	[TOP_SORT_RETRANSMITS] = RATE,
	[TOP_SORT_AGE] = RATE,
	[TOP_SORT_BYTES] = RATE,
};

const char *top_rows_by(enum top_view view)
{
	return views[view].by;
}

const char *top_rows_title(enum top_view view)
{
	return views[view].title;
}

const char *top_rows_parameter(enum top_view view)
{
	return views[view].parameter;
}

void top_rows_init(struct grid *g, enum top_view view, enum top_sort sort)
{
	if (view == TOP_CONNECTIONS)
		top_connections_init(g, sort);
	else
		grid_init(g, columns[view], COLUMNS, sort_columns[sort]);
}

/* --- rows ---------------------------------------------------------------------------- */

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

/* 0: null, or not there. */
static double count_of(const cJSON *o, const char *name)
{
	double n = top_cell_number(o, name);

	return n > 0 ? n : 0;
}

/* A pattern of /requests that matches what was escaped here: see export/request_filter.h. */
static void put_pattern(char *to, size_t size, const char *text)
{
	size_t len = 0;

	while (*text && len + 2 < size) {
		if (*text == ',') {
			to[len++] = '*';
			text++;
		} else if (*text != '\\') {
			to[len++] = *text++;
		} else {
			to[len++] = '*';
			text += text[1] == 'x' && text[2] && text[3] ? 4 : text[1] ? 2 : 1;
		}
	}
	if (*text)
		to[len++] = '*';
	to[len] = '\0';
}

static uint64_t id_of(const cJSON *o, const char *name)
{
	const char *method = top_cell_string(o, "method");

	return hash_bytes(name, strlen(name),
			  hash_bytes(method, strlen(method), top_cell_is_client(o))) |
	       1;
}

/* nginx/4711, or nginx/4711/4712 for a thread. */
static void name_process(char *to, size_t size, enum top_view view, const cJSON *o,
			 struct process_names *names)
{
	double process = top_cell_number(o, "process");
	double thread = top_cell_number(o, "thread");

	if (cJSON_IsTrue(member(o, "is_rest")))
		(void)snprintf(to, size, "_OTHER"); /* has room, as the next ones */
	else if (process < 1 || process > INT32_MAX)
		(void)snprintf(to, size, "not known");
	else if (view == TOP_THREADS)
		(void)snprintf(to, size, "%s/%.0f/%.0f", process_name(names, (pid_t)process, 0),
			       process, thread);
	else
		(void)snprintf(to, size, "%s/%.0f", process_name(names, (pid_t)process, 0),
			       process);
}

static void put_process(struct grid_row *row, enum top_view view, const cJSON *o,
			struct process_names *names)
{
	double number = top_cell_number(o, view == TOP_THREADS ? "thread" : "process");
	char name[64];

	name_process(name, sizeof(name), view, o, names);
	(void)snprintf(row->name, sizeof(row->name), "%s%s", top_cell_is_client(o) ? "> " : "",
		       name);
	row->id = id_of(o, name);
	if (number > 0)
		(void)snprintf(row->whole, sizeof(row->whole), "%.0f", number); /* has room */
}

static void put_key(struct grid_row *row, enum top_view view, const cJSON *o)
{
	const char *name = top_cell_string(o, view == TOP_PEERS ? "peer" : "route");
	const char *method = top_cell_string(o, "method");
	char shown[GRID_NAME + 2];

	(void)snprintf(shown, sizeof(shown), "%s%s", top_cell_is_client(o) ? "> " : "",
		       name); /* cut */
	grid_copy(row->name, sizeof(row->name), shown);
	grid_copy(row->cell[METHOD], GRID_CELL, method);
	row->id = id_of(o, name);
	if (strcmp(name, "_OTHER") != 0)
		put_pattern(row->whole, sizeof(row->whole), name);
	if (strcmp(method, "gRPC") == 0)
		(void)strcpy(row->part, "GRPC"); /* has room */
	else if (*method != '_')
		put_pattern(row->part, sizeof(row->part), method);
}

static void put_stages(struct grid_row *row, const cJSON *o)
{
	for (int i = 0; i < STAGE_MAX; i++)
		top_cell_put_time(
			row, RECEIVE + i,
			top_cell_number(member(member(o, "stages"), stage_name((enum stage)i)),
					"p99_ns"));
}

static void put_row(struct grid_row *row, const cJSON *o, double seconds)
{
	double errors = count_of(o, "errors");
	double requests = count_of(o, "requests");
	double in = top_cell_number(o, "request_bytes");
	double out = top_cell_number(o, "response_bytes");

	top_cell_put(row, RATE, requests, "%.1f", count_of(o, "rate"));
	top_cell_put(row, ERRORS, errors, "%.0f", errors);
	top_cell_put_time(row, P50, top_cell_number(o, "p50_ns"));
	top_cell_put_time(row, P90, top_cell_number(o, "p90_ns"));
	top_cell_put_time(row, P99, top_cell_number(o, "p99_ns"));
	put_stages(row, o);
	top_cell_put_time(row, MAX, top_cell_number(o, "max_ns"));
	top_cell_put(row, OPEN, count_of(o, "open"), "%.0f", count_of(o, "open"));
	top_cell_put_bytes(row, IN, seconds > 0 ? in / seconds : in);
	top_cell_put_bytes(row, OUT, seconds > 0 ? out / seconds : out);
	row->is_bad = errors > 0;
}

void top_rows_window(struct grid *g, enum top_view view, const cJSON *window,
		     struct process_names *names)
{
	double seconds = top_cell_number(window, "seconds");
	const cJSON *o;

	grid_clear(g);
	cJSON_ArrayForEach(o, member(window, "routes"))
	{
		struct grid_row *row = grid_add(g);

		if (!row)
			continue;
		if (view == TOP_PROCESSES || view == TOP_THREADS)
			put_process(row, view, o, names);
		else
			put_key(row, view, o);
		put_row(row, o, seconds);
	}
	grid_arrange(g);
}

/* --- requests ------------------------------------------------------------------------ */

/* The stages in their order, one after the other. */
enum {
	TIME,
	STATUS,
	DURATION,
	RECEIVED,
	WAITED,
	PROGRAMMED,
	SENT,
	REQUEST_METHOD,
	TARGET,
	SIZE,
	PEER,
	REQUEST_COLUMNS,
};

static const struct grid_column request_columns[REQUEST_COLUMNS] = {
	[TIME] = {.title = "TIME (UTC)", .rank = 2},
	[STATUS] = {.title = "STATUS"},
	[DURATION] = {.title = "DURATION", .is_right = true},
	[RECEIVED] = {.title = "RECEIVE", .rank = 6, .is_right = true},
	[WAITED] = {.title = "WAIT", .rank = 8, .is_right = true},
	[PROGRAMMED] = {.title = "PROGRAM", .rank = 4, .is_right = true},
	[SENT] = {.title = "SEND", .rank = 5, .is_right = true},
	[SIZE] = {.title = "RESPONSE", .rank = 7, .is_right = true},
	[REQUEST_METHOD] = {.title = "METHOD", .rank = 1, .is_fixed = true},
	[TARGET] = {.title = "TARGET", .is_name = true, .is_ascending = true},
	[PEER] = {.title = "PEER", .rank = 3, .is_fixed = true},
};

void top_rows_init_requests(struct grid *g)
{
	grid_init(g, request_columns, REQUEST_COLUMNS, TIME);
}

static void put_status(struct grid_row *row, const cJSON *o)
{
	const char *rpc = top_cell_string(o, "rpc_status");
	const char *error = top_cell_string(o, "error");
	double status = top_cell_number(o, "status");

	row->key[STATUS] = status;
	if (*rpc)
		grid_copy(row->cell[STATUS], GRID_CELL, rpc);
	else if (status >= 0 && !*error)
		top_cell_put(row, STATUS, status, "%.0f", status);
	else
		grid_copy(row->cell[STATUS], GRID_CELL, error);
	row->is_bad = *error || status >= 500 || (*rpc && strcmp(rpc, "OK") != 0);
}

void top_rows_request(struct grid *g, const cJSON *request, uint64_t serial)
{
	const char *time = top_cell_string(request, "time");
	const char *target = top_cell_string(request, "target");
	struct grid_row *row;
	char clock[TIME_LEN + 1] = "";

	if (g->count >= TOP_REQUESTS_MAX)
		grid_drop_oldest(g);
	row = grid_add(g);
	if (!row)
		return;
	row->id = serial;
	if (strlen(time) > TIME_AT)
		(void)strncpy(clock, time + TIME_AT, TIME_LEN); /* ends in a zero, too */
	grid_copy(row->cell[TIME], GRID_CELL, clock);
	row->key[TIME] = (double)serial;
	put_status(row, request);
	top_cell_put_time(row, DURATION, top_cell_number(request, "duration_ns"));
	top_cell_put_time(row, RECEIVED, top_cell_number(request, "receive_ns"));
	top_cell_put_time(row, WAITED, top_cell_number(request, "wait_ns"));
	top_cell_put_time(row, PROGRAMMED, top_cell_number(request, "program_ns"));
	top_cell_put_time(row, SENT, top_cell_number(request, "send_ns"));
	top_cell_put_bytes(row, SIZE, top_cell_number(request, "response_bytes"));
	grid_copy(row->cell[REQUEST_METHOD], GRID_CELL, top_cell_string(request, "method"));
	grid_copy(row->name, GRID_NAME, *target ? target : top_cell_string(request, "route"));
	grid_copy(row->cell[PEER], GRID_CELL,
		  top_cell_string(request, top_cell_is_client(request) ? "server" : "client"));
}
