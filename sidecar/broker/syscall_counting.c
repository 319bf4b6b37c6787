/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/syscall_counting.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "capture/syscall_cost.h"
#include "capture/syscall_list.h"

/* Cgroups times calls: usually a dozen calls of each; what has no row is counted by call. */
#define ROWS 1024

/* The first bucket of the kernel's whose durations are at least 2^bits ns (bpf/syscalls.h). */
#define BUCKET_OF(bits) ((((bits)-SL_CALL_FIRST_BITS) << SL_CALL_SUB_BITS) + 1)

_Static_assert(CHANNEL_CALL_FIRST_BITS + (CHANNEL_CALL_BOUNDS - 1) * CHANNEL_CALL_BITS <
		       SL_CALL_LAST_BITS,
	       "the kernel's buckets reach as far");

static bool is_target(const struct targets *t, uint64_t cgroup_id)
{
	int i = targets_find(t, cgroup_id);

	return i >= 0 && !t->slots[i].part_of;
}

static uint64_t *find(struct syscall_counting *c, uint64_t cgroup_id)
{
	for (size_t i = 0; i < SL_CALL_TARGETS_MAX; i++)
		if (c->counted[i] == cgroup_id)
			return &c->counted[i];
	return NULL;
}

static void add(struct syscall_counting *c, const struct target *t)
{
	uint64_t *place = find(c, 0);
	int err = -ENOSPC;

	if (place)
		err = syscalls_add(c->syscalls, t->cgroup.fd, t->cgroup.id, (uint32_t)t->number);
	if (!err)
		*place = t->cgroup.id;
	else
		log_warn("run: system calls of %s cannot be counted (%s)", t->name, strerror(-err));
}

static void on_changed(void *ctx)
{
	struct syscall_counting *c = ctx;

	for (size_t i = 0; i < SL_CALL_TARGETS_MAX; i++) {
		if (!c->counted[i] || is_target(c->targets, c->counted[i]))
			continue;
		syscalls_remove(c->syscalls, c->counted[i]);
		c->counted[i] = 0;
	}
	for (size_t i = 0; i < PROGRAMS_CGROUPS_MAX; i++) {
		const struct targets_slot *s = &c->targets->slots[i];

		if (s->target && !s->part_of && !find(c, s->target->cgroup.id))
			add(c, s->target);
	}
}

static int start(struct syscall_counting *c)
{
	struct syscall_cost before;
	struct syscall_cost now;
	struct syscalls_options options = {
		.max_rows = ROWS, .by_target = true, .capture = c->targets->programs};
	int err = syscalls_new(&c->syscalls, &options);

	if (err) {
		/* A kernel may lack something that only reports of reads need. */
		options.capture = NULL;
		err = syscalls_new(&c->syscalls, &options);
	}
	if (err)
		return err;
	on_changed(c);
	before = syscall_cost_measure();
	err = syscalls_attach(c->syscalls);
	if (err)
		return err;
	now = syscall_cost_measure();
	c->filter_ns = syscall_cost_added(before.any_ns, now.any_ns);
	c->network_filter_ns = syscall_cost_added(before.network_ns, now.network_ns);
	c->beginnings++;
	c->targets->on_changed = on_changed;
	c->targets->on_changed_ctx = c;
	log_info("run: counting system calls; every system call of this node passes a filter "
		 "meanwhile, which takes %" PRIu64 " ns (%" PRIu64 " ns for network calls of "
		 "others)",
		 c->filter_ns, c->network_filter_ns);
	if (!syscalls_reports_reads(c->syscalls))
		log_warn("run: this kernel cannot tell when requests are read: how long they wait "
			 "in their sockets is not known");
	return 0;
}

void syscall_counting_stop(struct syscall_counting *c)
{
	if (!c->syscalls)
		return;
	c->targets->on_changed = NULL;
	syscalls_free(c->syscalls);
	c->syscalls = NULL;
	c->next = 0;
	memset(c->counted, 0, sizeof(c->counted));
	log_info("run: system calls are not counted any more");
}

/* counts: NULL: none were read. */
static int say(struct syscall_counting *c, const struct syscall_counts *counts)
{
	struct channel_message m = {.kind = CHANNEL_COUNTING,
				    .count = c->syscalls != NULL,
				    .counting = {.beginnings = c->beginnings,
						 .filter_ns = c->filter_ns,
						 .network_filter_ns = c->network_filter_ns}};

	if (counts) {
		m.counting.lost = counts->lost;
		m.counting.of_32bit = counts->of_32bit;
		m.counting.errors_unnamed = counts->errors_unnamed;
		m.counting.reads_lost = counts->reads_lost;
	}
	return channel_send(c->targets->channel, &m);
}

void syscall_counting_set(struct syscall_counting *c, struct targets *targets, bool is_on)
{
	int err = 0;

	c->targets = targets;
	if (is_on && !c->syscalls) {
		err = start(c);
		if (err) {
			syscalls_free(c->syscalls);
			c->syscalls = NULL;
			memset(c->counted, 0, sizeof(c->counted));
			log_error(
				"run: system calls cannot be counted (%s); \"sidelight syscalls\" "
				"says what is missing",
				strerror(-err));
		}
	} else if (!is_on && c->syscalls) {
		syscall_counting_send(c); /* what was counted last */
		syscall_counting_stop(c);
	}
	(void)say(c, NULL); /* one that is dropped comes with the next refresh */
}

static void sum_buckets(struct channel_call *ret_call, const struct sl_call_row *row)
{
	size_t from = 0;

	for (size_t i = 0; i <= CHANNEL_CALL_BOUNDS; i++) {
		size_t to = i == CHANNEL_CALL_BOUNDS
				    ? SL_CALL_BUCKETS
				    : BUCKET_OF(CHANNEL_CALL_FIRST_BITS + i * CHANNEL_CALL_BITS);

		for (ret_call->bucket[i] = 0; from < to; from++)
			ret_call->bucket[i] += row->bucket[from];
	}
}

static struct channel_call call_of(uint64_t number, uint32_t call, const struct sl_call_row *row)
{
	struct channel_call ret = {.number = number,
				   .call = call,
				   .count = row->count,
				   .bytes = row->bytes,
				   .time_ns = row->time_ns,
				   .blocked_ns = row->blocked_ns,
				   .errors = row->errors};

	sum_buckets(&ret, row);
	return ret;
}

/* Row i of all: those of targets, then those that have no rows. */
static struct channel_call call_at(const struct syscall_counts *counts, size_t i)
{
	const struct syscall_row *row = &counts->rows[i];
	uint32_t call = (uint32_t)(i - counts->row_count);

	return i < counts->row_count ? call_of(row->key.tid, row->key.call, &row->counts)
				     : call_of(0, call, &counts->overflow[call]);
}

static int send_calls(struct syscall_counting *c, const struct syscall_counts *counts)
{
	struct channel_message m = {.kind = CHANNEL_CALLS};
	size_t total = counts->row_count + syscall_count;
	size_t first = c->next % total;
	int err = 0;

	for (size_t i = 0; !err && i < total; i++) {
		m.calls[m.count] = call_at(counts, (first + i) % total);
		m.count += m.calls[m.count].count > 0;
		if (m.count < CHANNEL_CALLS_MAX && i + 1 < total)
			continue;
		err = m.count ? channel_send_bulk(c->targets->channel, &m, CHANNEL_BULK_ROWS) : 0;
		if (!err)
			c->next = (first + i + 1) % total;
		m.count = 0;
	}
	return err;
}

static int send_errors(struct syscall_counting *c, const struct syscall_counts *counts)
{
	struct channel_message m = {.kind = CHANNEL_CALL_ERRORS};
	int err = 0;

	for (size_t i = 0; !err && i < counts->error_count; i++) {
		const struct syscall_error *e = &counts->errors[i];

		m.call_errors[m.count++] =
			(struct channel_call_error){e->key.tid, e->count, e->key.call, e->error};
		if (m.count < CHANNEL_CALL_ERRORS_MAX && i + 1 < counts->error_count)
			continue;
		err = channel_send_bulk(c->targets->channel, &m, CHANNEL_BULK_ROWS);
		m.count = 0;
	}
	return err;
}

void syscall_counting_send(struct syscall_counting *c)
{
	struct syscall_counts *counts;
	int err;

	if (!c->syscalls)
		return;
	err = syscalls_read(c->syscalls, &counts);
	if (err) {
		log_error("run: system calls cannot be read (%s)", strerror(-err));
		return;
	}
	/* Rows are sums since the beginning: one that is not sent now is in the next one. */
	err = say(c, counts);
	if (!err)
		err = send_calls(c, counts);
	if (!err)
		(void)send_errors(c, counts);
	syscall_counts_free(counts);
}
