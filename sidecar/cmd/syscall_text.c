/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/syscall_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capture/syscall_list.h"
#include "export/json.h"
#include "export/table.h"

#define CELL_SIZE 72

enum column {
	CONTAINER,
	PROCESS,
	THREAD,
	NAME,
	CALL,
	CALLS,
	ERRORS,
	BYTES,
	TIME,
	BLOCKED,
	P50,
	P99,
	MAX,
	COLUMNS, /* behind them: errors by number, which need no alignment */
};

static const struct {
	const char *title;
	bool is_left;
} columns[COLUMNS] = {
	[CONTAINER] = {"CONTAINER", true},
	[PROCESS] = {"PROCESS", false},
	[THREAD] = {"THREAD", false},
	[NAME] = {"NAME", true},
	[CALL] = {"CALL", true},
	[CALLS] = {"CALLS", false},
	[ERRORS] = {"ERRORS", false},
	[BYTES] = {"BYTES", false},
	[TIME] = {"TIME", false},
	[BLOCKED] = {"BLOCKED", false},
	[P50] = {"P50", false},
	[P99] = {"P99", false},
	[MAX] = {"MAX", false},
};

static const char *const kind_words[SYSCALL_KINDS] = {
	[SYSCALL_NETWORK] = "network",
	[SYSCALL_WAIT] = "wait",
	[SYSCALL_IO_URING] = "io_uring",
};

static const char *const kind_titles[SYSCALL_KINDS][2] = {
	[SYSCALL_NETWORK] = {"network system call", "network system calls"},
	[SYSCALL_WAIT] = {"wait", "waits"},
	[SYSCALL_IO_URING] = {"call of io_uring", "calls of io_uring"},
};

typedef char cells[COLUMNS][CELL_SIZE];

static void put_number(char *cell, uint64_t value)
{
	(void)snprintf(cell, CELL_SIZE, "%" PRIu64, value); /* 20 digits */
}

static void put_id(char *cell, uint32_t id)
{
	if (id)
		put_number(cell, id);
	else
		(void)snprintf(cell, CELL_SIZE, "-");
}

static void put_time(char *cell, uint64_t ns)
{
	struct text t;

	text_init(&t);
	table_add_duration(&t, ns);
	(void)snprintf(cell, CELL_SIZE, "%s", t.ptr); /* a few characters */
	text_release(&t);
}

/* "nginx", or "java/http-nio-8080" of a thread with another name than its process. */
static void put_name(char *cell, const struct syscall_line *line)
{
	char process[TABLE_NAME_SIZE];
	char thread[TABLE_NAME_SIZE];

	table_copy_name(process, line->is_other ? "_OTHER" : line->process_name);
	table_copy_name(thread, line->thread_name);
	if (!thread[0] || strcmp(process, thread) == 0)
		(void)snprintf(cell, CELL_SIZE, "%s", process);
	else /* 15 bytes each */
		(void)snprintf(cell, CELL_SIZE, "%.30s/%.30s", process, thread);
}

static void put_cells(cells cell, const struct syscall_text *o, const struct syscall_line *line)
{
	const char *container =
		o->container && !line->is_other ? o->container(o->ctx, line->target) : NULL;

	table_copy_name(cell[CONTAINER], container ? container : "");
	put_id(cell[PROCESS], line->process);
	put_id(cell[THREAD], line->thread);
	put_name(cell[NAME], line);
	(void)snprintf(cell[CALL], CELL_SIZE, "%s", syscall_name(line->call));
	put_number(cell[CALLS], line->calls);
	put_number(cell[ERRORS], line->errors);
	put_number(cell[BYTES], line->bytes);
	if (!syscall_has_bytes(line->call))
		(void)snprintf(cell[BYTES], CELL_SIZE, "-");
	put_time(cell[TIME], line->time_ns);
	put_time(cell[BLOCKED], line->blocked_ns);
	put_time(cell[P50], syscall_quantile_ns(line, .5));
	put_time(cell[P99], line->p99_ns);
	put_time(cell[MAX], line->max_ns);
}

/* Which columns there are. */
static bool has_column(const struct syscall_text *o, int column)
{
	return column == CONTAINER ? o->container != NULL
	       : column == THREAD  ? o->by == SYSCALL_BY_THREAD
				   : true;
}

static void add_cells(struct text *out, cells cell, const int width[COLUMNS])
{
	text_add_char(out, ' ');
	for (int c = 0; c < COLUMNS; c++)
		if (width[c])
			text_addf(out, "  %*s", columns[c].is_left ? -width[c] : width[c], cell[c]);
}

static void add_rest(struct text *out, const struct syscall_line *line)
{
	char buf[SYSCALL_ERROR_SIZE];

	text_add(out, "  ");
	for (size_t i = 0; i < line->error_count; i++)
		text_addf(out, "%s:%" PRIu64 " ", syscall_error_name(line->error[i].error, buf),
			  line->error[i].count);
	if (!line->open)
		return;
	text_addf(out, "open:%" PRIu64 " since ", line->open);
	table_add_duration(out, line->open_ns);
}

static void set_widths(int width[COLUMNS], const struct syscall_text *o,
		       const struct syscall_line *lines, size_t count)
{
	cells cell;

	for (int c = 0; c < COLUMNS; c++)
		width[c] = has_column(o, c) ? (int)strlen(columns[c].title) : 0;
	for (size_t i = 0; i < count; i++) {
		put_cells(cell, o, &lines[i]);
		for (int c = 0; c < COLUMNS; c++)
			if (width[c] && (int)strlen(cell[c]) > width[c])
				width[c] = (int)strlen(cell[c]);
	}
}

static void add_title(struct text *out, const struct syscall_text *o,
		      const struct syscall_line *lines, size_t count, enum syscall_kind kind)
{
	uint64_t calls = 0;
	uint64_t time_ns = 0;
	uint64_t blocked = 0;
	uint64_t blocked_ns = 0;

	for (size_t i = 0; i < count; i++) {
		calls += lines[i].calls;
		time_ns += lines[i].time_ns;
		blocked += lines[i].blocked;
		blocked_ns += lines[i].blocked_ns;
	}
	text_addf(out, " %" PRIu64 " %s in %.1f s", calls, kind_titles[kind][calls != 1],
		  o->seconds);
	if (calls) {
		text_add(out, ": ");
		table_add_duration(out, time_ns);
		text_add(out, " in them, ");
		table_add_duration(out, blocked_ns);
		text_addf(out, " of that in %" PRIu64 " that blocked", blocked);
	}
	text_add_char(out, '\n');
}

static void add_part(struct text *out, const struct syscall_text *o,
		     const struct syscall_line *lines, size_t count, enum syscall_kind kind,
		     size_t max_columns)
{
	int width[COLUMNS];
	size_t start;
	cells cell;

	add_title(out, o, lines, count, kind);
	if (!count)
		return;
	set_widths(width, o, lines, count);
	for (int c = 0; c < COLUMNS; c++)
		(void)snprintf(cell[c], CELL_SIZE, "%s", columns[c].title); /* has room */
	text_add_char(out, '\n');
	start = out->len;
	add_cells(out, cell, width);
	text_end_row(out, start, max_columns);
	for (size_t i = 0; i < count; i++) {
		start = out->len;
		put_cells(cell, o, &lines[i]);
		add_cells(out, cell, width);
		add_rest(out, &lines[i]);
		text_end_row(out, start, max_columns);
	}
}

void syscall_table_add(struct text *out, const struct syscall_text *o, size_t max_columns)
{
	const struct syscall_report *r = o->report;
	size_t first = 0;

	for (int kind = 0; kind < SYSCALL_KINDS; kind++) {
		size_t next = first;

		while (next < r->line_count && (int)syscall_kind(r->lines[next].call) == kind)
			next++;
		if (kind != SYSCALL_NETWORK && next == first)
			continue;
		if (kind != SYSCALL_NETWORK)
			text_add_char(out, '\n');
		add_part(out, o, r->lines + first, next - first, (enum syscall_kind)kind,
			 max_columns);
		first = next;
	}
	if (o->of_32bit)
		text_addf(out,
			  "\n 32-bit programs run there, whose calls are not counted (%" PRIu64
			  " were seen)\n",
			  o->of_32bit);
	if (o->lost)
		text_addf(out,
			  "\n %" PRIu64 " calls are missing: more threads than can be followed\n",
			  o->lost);
}

/* Members of an object: each has a comma before it. */
static void add_times(struct text *out, const struct syscall_line *line)
{
	const char *comma = "";

	json_number(out, "time_ns", line->time_ns, true);
	json_number(out, "blocked", line->blocked, true);
	json_number(out, "blocked_ns", line->blocked_ns, true);
	json_number(out, "open", line->open, !line->is_other);
	json_number(out, "open_ns", line->open_ns, line->open);
	json_number(out, "p50_ns", syscall_quantile_ns(line, .5), line->calls);
	json_number(out, "p90_ns", syscall_quantile_ns(line, .9), line->calls);
	json_number(out, "p99_ns", line->p99_ns, line->calls);
	json_number(out, "max_ns", line->max_ns, line->calls);
	text_add(out, ",\"histogram\":[");
	for (size_t i = 0; i < SL_CALL_BUCKETS; i++) {
		if (!line->bucket[i])
			continue;
		text_addf(out, "%s[%" PRIu64 ",%" PRIu64 "]", comma, syscall_bucket_ns(i),
			  line->bucket[i]);
		comma = ",";
	}
	text_add_char(out, ']');
}

static void add_error_counts(struct text *out, const struct syscall_line *line)
{
	char buf[SYSCALL_ERROR_SIZE];

	text_add(out, ",\"error_counts\":{");
	for (size_t i = 0; i < line->error_count; i++)
		text_addf(out, "%s\"%s\":%" PRIu64, i ? "," : "",
			  syscall_error_name(line->error[i].error, buf), line->error[i].count);
	text_add_char(out, '}');
}

static void add_object(struct text *out, const struct syscall_text *o,
		       const struct syscall_line *line)
{
	const char *container = o->container ? o->container(o->ctx, line->target) : NULL;
	bool is_thread = o->by == SYSCALL_BY_THREAD;

	text_addf(out, "{\"kind\":\"%s\"", kind_words[syscall_kind(line->call)]);
	json_word(out, "call", syscall_name(line->call));
	if (o->container && container && !line->is_other)
		json_escaped(out, "container", span_of(container));
	else if (o->container)
		json_word(out, "container", NULL);
	json_number(out, "process", line->process, line->process);
	if (line->is_other)
		json_word(out, "process_name", "_OTHER");
	else
		json_escaped(out, "process_name", span_of(line->process_name));
	if (is_thread)
		json_number(out, "thread", line->thread, line->thread);
	if (is_thread && !line->is_other)
		json_escaped(out, "thread_name", span_of(line->thread_name));
	else if (is_thread)
		json_word(out, "thread_name", NULL);
	json_number(out, "calls", line->calls, true);
	json_number(out, "errors", line->errors, true);
	add_error_counts(out, line);
	json_number(out, "bytes", line->bytes, syscall_has_bytes(line->call));
	add_times(out, line);
	text_add_char(out, '}');
}

static void add_totals(struct text *out, const struct syscall_text *o)
{
	text_addf(out, "{\"seconds\":%.3f", o->seconds);
	json_number(out, "lost", o->lost, true);
	json_number(out, "calls_of_32bit_programs", o->of_32bit, true);
	json_number(out, "filter_ns", o->filter_ns, true);
	json_number(out, "network_filter_ns", o->network_filter_ns, true);
}

void syscall_json_add(struct text *out, const struct syscall_text *o, bool as_lines)
{
	const struct syscall_report *r = o->report;

	if (!as_lines) {
		add_totals(out, o);
		text_add(out, ",\"rows\":[");
	}
	for (size_t i = 0; i < r->line_count; i++) {
		add_object(out, o, &r->lines[i]);
		text_add(out, as_lines ? "\n" : i + 1 < r->line_count ? ",\n" : "");
	}
	if (as_lines)
		add_totals(out, o);
	text_add(out, as_lines ? "}\n" : "]}\n");
}
