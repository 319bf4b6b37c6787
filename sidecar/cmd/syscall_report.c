/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/syscall_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/syscall_list.h"

/* A row on its way into a line. */
struct entry {
	const struct syscall_row *row;
	const char *process_name;
	const char *thread_name;
	struct syscall_line *line;
};

/* A number of a line's errors. */
struct numbered {
	const struct syscall_line *line;
	struct syscall_line_error error;
};

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int by_thread(const void *a, const void *b)
{
	const struct syscall_row *x = ((const struct entry *)a)->row;
	const struct syscall_row *y = ((const struct entry *)b)->row;
	const int orders[] = {
		ORDER(x->counts.process_started_ns, y->counts.process_started_ns),
		ORDER(x->counts.process, y->counts.process),
		ORDER(x->key.thread_started_ns, y->key.thread_started_ns),
		ORDER(x->key.tid, y->key.tid),
		ORDER(x->key.call, y->key.call),
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i])
			return orders[i];
	return 0;
}

static bool is_same_process(const struct entry *a, const struct entry *b)
{
	return a->row->counts.process_started_ns == b->row->counts.process_started_ns &&
	       a->row->counts.process == b->row->counts.process;
}

static bool is_same_thread(const struct entry *a, const struct entry *b)
{
	return is_same_process(a, b) &&
	       a->row->key.thread_started_ns == b->row->key.thread_started_ns &&
	       a->row->key.tid == b->row->key.tid;
}

/* The row of a run of entries whose names were read last. */
static const struct sl_call_row *latest(const struct entry *entries, size_t count)
{
	const struct sl_call_row *found = &entries[0].row->counts;

	for (size_t i = 1; i < count; i++)
		if (entries[i].row->counts.named_ns > found->named_ns)
			found = &entries[i].row->counts;
	return found;
}

/* Rows keep the names of their own last change: each entry gets those that are valid now. */
static void set_names(struct entry *entries, size_t count)
{
	for (size_t i = 0, next; i < count; i = next) {
		const char *name;

		for (next = i + 1; next < count && is_same_process(&entries[i], &entries[next]);)
			next++;
		name = latest(entries + i, next - i)->process_name;
		for (size_t k = i; k < next; k++)
			entries[k].process_name = name;
	}
	for (size_t i = 0, next; i < count; i = next) {
		const char *name;

		for (next = i + 1; next < count && is_same_thread(&entries[i], &entries[next]);)
			next++;
		name = latest(entries + i, next - i)->thread_name;
		for (size_t k = i; k < next; k++)
			entries[k].thread_name = name;
	}
}

static void add_counts(struct syscall_line *line, const struct sl_call_row *counts)
{
	line->calls += counts->count;
	line->errors += counts->errors;
	line->bytes += counts->bytes;
	line->time_ns += counts->time_ns;
	line->blocked += counts->blocked;
	line->blocked_ns += counts->blocked_ns;
	if (counts->max_ns > line->max_ns)
		line->max_ns = counts->max_ns;
	for (size_t i = 0; i < SL_CALL_BUCKETS; i++)
		line->bucket[i] += counts->bucket[i];
}

/* The line of an entry's process and call, if there is one. `first` is the first line of it. */
static struct syscall_line *line_of_process(const struct syscall_report *r, size_t first,
					    uint32_t call)
{
	for (size_t i = first; i < r->line_count; i++)
		if (r->lines[i].call == call)
			return &r->lines[i];
	return NULL;
}

static struct syscall_line *new_line(struct syscall_report *r, const struct entry *e,
				     enum syscall_by by)
{
	struct syscall_line *line = &r->lines[r->line_count++];
	const struct sl_call_row *counts = &e->row->counts;

	*line = (struct syscall_line){.call = e->row->key.call,
				      .target = counts->target,
				      .process = counts->shown_process};
	memcpy(line->process_name, e->process_name, sizeof(line->process_name));
	line->process_name[sizeof(line->process_name) - 1] = '\0';
	if (by == SYSCALL_BY_PROCESS)
		return line;
	line->thread = counts->shown_thread;
	memcpy(line->thread_name, e->thread_name, sizeof(line->thread_name));
	line->thread_name[sizeof(line->thread_name) - 1] = '\0';
	return line;
}

static void add_lines(struct syscall_report *r, struct entry *entries, size_t count,
		      enum syscall_by by)
{
	size_t first = 0; /* line of this process */

	for (size_t i = 0; i < count; i++) {
		struct entry *e = &entries[i];

		if (i && !is_same_process(&entries[i - 1], e))
			first = r->line_count;
		if (by == SYSCALL_BY_PROCESS)
			e->line = line_of_process(r, first, e->row->key.call);
		if (!e->line)
			e->line = new_line(r, e, by);
		add_counts(e->line, &e->row->counts);
		e->line->open += e->row->open_ns > 0;
		if (e->row->open_ns > e->line->open_ns)
			e->line->open_ns = e->row->open_ns;
	}
}

static void add_overflow(struct syscall_report *r, const struct sl_call_row *overflow)
{
	for (uint32_t call = 0; call < syscall_count; call++) {
		struct syscall_line *line = &r->lines[r->line_count];

		if (!overflow[call].count)
			continue;
		*line = (struct syscall_line){.call = call, .is_other = true};
		add_counts(line, &overflow[call]);
		r->line_count++;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct sl_call_key *x = a;
	const struct sl_call_key *y = &((const struct entry *)b)->row->key;

	if (x->thread_started_ns != y->thread_started_ns)
		return ORDER(x->thread_started_ns, y->thread_started_ns);
	return x->tid != y->tid ? ORDER(x->tid, y->tid) : ORDER(x->call, y->call);
}

static int by_key_of_row(const void *a, const void *b)
{
	return by_key(&((const struct entry *)a)->row->key, b);
}

static int by_line(const void *a, const void *b)
{
	const struct numbered *x = a;
	const struct numbered *y = b;

	return x->line != y->line ? ORDER(x->line, y->line) : ORDER(x->error.error, y->error.error);
}

/* Of counts->errors those that have a line. entries are in the order of their keys. */
static size_t find_lines(struct numbered *numbered, const struct entry *entries,
			 const struct syscall_counts *counts)
{
	size_t n = 0;

	for (size_t i = 0; i < counts->error_count; i++) {
		const struct syscall_error *e = &counts->errors[i];
		const struct entry *of =
			bsearch(&e->key, entries, counts->row_count, sizeof(*entries), by_key);

		if (of)
			numbered[n++] = (struct numbered){of->line, {e->error, e->count}};
	}
	qsort(numbered, n, sizeof(*numbered), by_line);
	return n;
}

/* Gives a line its part of `numbered`, which begins at *next; returns how many errors it has. */
static size_t take_errors(struct syscall_line *line, struct syscall_line_error *into,
			  const struct numbered *numbered, size_t count, size_t *next)
{
	uint64_t unnumbered = line->errors;
	size_t n = 0;

	for (; *next < count && numbered[*next].line == line; ++*next) {
		const struct syscall_line_error *e = &numbered[*next].error;

		if (n && into[n - 1].error == e->error)
			into[n - 1].count += e->count;
		else
			into[n++] = *e;
		unnumbered -= e->count < unnumbered ? e->count : unnumbered;
	}
	if (unnumbered)
		into[n++] = (struct syscall_line_error){.count = unnumbered};
	line->error = into;
	line->error_count = n;
	return n;
}

/* r->errors has room for each number, and one of each line. */
static int add_errors(struct syscall_report *r, struct entry *entries,
		      const struct syscall_counts *counts)
{
	struct numbered *numbered = calloc(counts->error_count + 1, sizeof(*numbered));
	size_t count;
	size_t next = 0;
	size_t used = 0;

	if (!numbered)
		return -ENOMEM;
	qsort(entries, counts->row_count, sizeof(*entries), by_key_of_row);
	count = find_lines(numbered, entries, counts);
	for (size_t i = 0; i < r->line_count; i++)
		used += take_errors(&r->lines[i], r->errors + used, numbered, count, &next);
	free(numbered);
	return 0;
}

static uint64_t value_of(const struct syscall_line *line, enum syscall_sort sort)
{
	switch (sort) {
	case SYSCALL_SORT_CALLS:
		return line->calls;
	case SYSCALL_SORT_ERRORS:
		return line->errors;
	case SYSCALL_SORT_BYTES:
		return line->bytes;
	case SYSCALL_SORT_BLOCKED:
		return line->blocked_ns;
	case SYSCALL_SORT_P99:
		return line->p99_ns;
	case SYSCALL_SORT_MAX:
		return line->max_ns;
	case SYSCALL_SORT_PROCESS:
		return 0;
	case SYSCALL_SORT_TIME:
		break;
	}
	return line->time_ns;
}

static int by_value(const void *a, const void *b, void *sort)
{
	const struct syscall_line *x = a;
	const struct syscall_line *y = b;
	const enum syscall_sort by = *(const enum syscall_sort *)sort;
	const int orders[] = {
		ORDER(syscall_kind(x->call), syscall_kind(y->call)),
		-ORDER(value_of(x, by), value_of(y, by)),
		ORDER(x->is_other, y->is_other),
		ORDER(x->process, y->process),
		ORDER(x->thread, y->thread),
		ORDER(x->call, y->call),
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i])
			return orders[i];
	return 0;
}

int syscall_report_make(struct syscall_report *ret_report, const struct syscall_counts *counts,
			enum syscall_by by, enum syscall_sort sort)
{
	struct entry *entries = calloc(counts->row_count + 1, sizeof(*entries));
	size_t lines_max = counts->row_count + syscall_count;
	struct syscall_report r = {
		.lines = calloc(lines_max, sizeof(*r.lines)),
		.errors = calloc(counts->error_count + lines_max, sizeof(*r.errors)),
	};
	int err = entries && r.lines && r.errors ? 0 : -ENOMEM;

	if (err)
		goto out;
	for (size_t i = 0; i < counts->row_count; i++)
		entries[i].row = &counts->rows[i];
	qsort(entries, counts->row_count, sizeof(*entries), by_thread);
	set_names(entries, counts->row_count);
	add_lines(&r, entries, counts->row_count, by);
	add_overflow(&r, counts->overflow);
	err = add_errors(&r, entries, counts);
	for (size_t i = 0; i < r.line_count; i++)
		r.lines[i].p99_ns = syscall_quantile_ns(&r.lines[i], .99);
	qsort_r(r.lines, r.line_count, sizeof(*r.lines), by_value, &sort);
out:
	free(entries);
	if (err)
		syscall_report_release(&r);
	else
		*ret_report = r;
	return err;
}

void syscall_report_release(struct syscall_report *r)
{
	free(r->lines);
	free(r->errors);
	*r = (struct syscall_report){0};
}

uint64_t syscall_bucket_ns(size_t bucket)
{
	const unsigned subs = 1u << SL_CALL_SUB_BITS;
	size_t above = bucket - 1;

	if (bucket == 0)
		return 0;
	return (uint64_t)(subs + above % subs)
	       << (SL_CALL_FIRST_BITS - SL_CALL_SUB_BITS + above / subs);
}

uint64_t syscall_quantile_ns(const struct syscall_line *line, double share)
{
	double rank = share * (double)line->calls;
	uint64_t below = 0;

	for (size_t i = 0; i + 1 < SL_CALL_BUCKETS; i++) {
		uint64_t middle = (syscall_bucket_ns(i) + syscall_bucket_ns(i + 1)) / 2;

		below += line->bucket[i];
		if (below && (double)below >= rank)
			return middle < line->max_ns ? middle : line->max_ns;
	}
	return line->max_ns;
}
