/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/syscall_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "capture/syscall_list.h"
#include "txn/label_values.h"

/* Above the rows that the broker has: 1,024 of targets, 48 without; twice as many errors. */
#define CALL_SLOTS  2048u
#define ERROR_SLOTS 4096u

static const char *const call_labels[] = {"container", "syscall"};
static const char *const error_labels[] = {"container", "syscall", "errno"};
static const char *const lost_labels[] = {"reason"};
static const char *const filter_labels[] = {"calls"};

/* Those of channel.h, in seconds: 2^10 ns to 2^34 ns. */
static const double bounds[CHANNEL_CALL_BOUNDS] = {
	1.024e-6,	4.096e-6,	16.384e-6,    65.536e-6,    262.144e-6,
	1048.576e-6,	4194.304e-6,	16.777216e-3, 67.108864e-3, 268.435456e-3,
	1073.741824e-3, 4294.967296e-3, 17.179869184,
};

enum { DURATION, BYTES, BLOCKED, ERRORS, LOST, READS_LOST, COUNTED, FILTER, FAMILIES };

static const struct family_desc descs[FAMILIES] = {
	[DURATION] = {.name = "sidelight_syscall_duration_seconds",
		      .help = "Network system calls that have returned, by the time from entry to "
			      "return.",
		      .type = METRIC_HISTOGRAM,
		      .is_classic = true,
		      .label_names = call_labels,
		      .label_count = 2,
		      .bounds = bounds,
		      .bound_count = CHANNEL_CALL_BOUNDS},
	[BYTES] = {.name = "sidelight_syscall_bytes_total",
		   .help = "Bytes that network system calls have moved.",
		   .type = METRIC_COUNTER,
		   .label_names = call_labels,
		   .label_count = 2},
	[BLOCKED] = {.name = "sidelight_syscall_blocked_seconds_total",
		     .help = "Time of network system calls in which the thread slept.",
		     .type = METRIC_COUNTER,
		     .label_names = call_labels,
		     .label_count = 2},
	[ERRORS] = {.name = "sidelight_syscall_errors_total",
		    .help = "Network system calls that have failed.",
		    .type = METRIC_COUNTER,
		    .label_names = error_labels,
		    .label_count = 3},
	[LOST] =
		{.name = "sidelight_syscalls_lost_total",
		 .help = "Network system calls that are in no other metric: more threads were in a "
			 "call than can be followed (room), or a 32-bit program made them.",
		 .type = METRIC_COUNTER,
		 .label_names = lost_labels,
		 .label_count = 1},
	[READS_LOST] =
		{.name = "sidelight_syscall_reads_lost_total",
		 .help = "Network system calls that have read when the ring of the capture was "
			 "filled by a quarter: when their requests were read is not known.",
		 .type = METRIC_COUNTER},
	[COUNTED] = {.name = "sidelight_syscalls_counted",
		     .help = "1 while system calls are counted, which all programs of the node pay "
			     "for.",
		     .type = METRIC_GAUGE},
	[FILTER] = {.name = "sidelight_syscall_filter_seconds",
		    .help = "What a system call of any program of the node takes longer while they "
			    "are counted: all calls, or network calls.",
		    .type = METRIC_GAUGE,
		    .label_names = filter_labels,
		    .label_count = 1},
};

struct syscall_metrics {
	syscall_name_fn name;
	void *ctx;
	struct family *family[FAMILIES];
	bool is_counting;
	uint64_t beginnings;
	uint64_t lost; /* since the last one, as the next two */
	uint64_t of_32bit;
	uint64_t errors_unnamed;
	uint64_t reads_lost;
	struct channel_call calls[CALL_SLOTS]; /* the last rows; count 0: free */
	struct channel_call_error errors[ERROR_SLOTS]; /* likewise */
};

struct syscall_metrics *syscall_metrics_new(struct registry *r, syscall_name_fn name, void *ctx)
{
	struct syscall_metrics *m = calloc(1, sizeof(*m));

	if (!m || registry_families(r, descs, FAMILIES, m->family)) {
		free(m);
		return NULL;
	}
	m->name = name;
	m->ctx = ctx;
	return m;
}

void syscall_metrics_free(struct syscall_metrics *m)
{
	free(m);
}

static const char *container_of_row(const struct syscall_metrics *m, uint64_t number)
{
	return number ? m->name(m->ctx, number) : label_other;
}

/* There is always a free one: the broker has fewer rows. A worker does not trust it with a loop. */
static struct channel_call *call_slot(struct syscall_metrics *m, uint64_t number, uint64_t call)
{
	size_t first = hash_mix(number, call) % CALL_SLOTS;

	for (size_t i = 0; i < CALL_SLOTS; i++) {
		struct channel_call *slot = &m->calls[(first + i) % CALL_SLOTS];

		if (!slot->count || (slot->number == number && slot->call == call))
			return slot;
	}
	return NULL;
}

static void add_call(struct syscall_metrics *m, const struct channel_call *now)
{
	struct channel_call *last = call_slot(m, now->number, now->call);
	const char *values[] = {container_of_row(m, now->number),
				syscall_name((uint32_t)now->call)};
	struct histogram *h;

	if (!last || !now->count)
		return;
	h = family_series(m->family[DURATION], values)->histogram;
	for (size_t i = 0; i <= CHANNEL_CALL_BOUNDS; i++) {
		h->bucket[i] += now->bucket[i] - last->bucket[i];
		h->count += now->bucket[i] - last->bucket[i];
	}
	h->sum += (double)(now->time_ns - last->time_ns) / 1e9;
	if (syscall_has_bytes((uint32_t)now->call))
		series_add(family_series(m->family[BYTES], values),
			   (double)(now->bytes - last->bytes));
	series_add(family_series(m->family[BLOCKED], values),
		   (double)(now->blocked_ns - last->blocked_ns) / 1e9);
	/* By number they are in rows of their own; without a container none is. */
	if (!now->number && now->errors > last->errors) {
		const char *error[] = {values[0], values[1], label_other};

		series_add(family_series(m->family[ERRORS], error),
			   (double)(now->errors - last->errors));
	}
	*last = *now;
}

void syscall_metrics_calls(struct syscall_metrics *m, const struct channel_call *calls,
			   size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_call(m, &calls[i]);
}

void syscall_metrics_each(const struct syscall_metrics *m,
			  void (*fn)(void *ctx, const char *container,
				     const struct channel_call *call),
			  void *ctx)
{
	for (size_t i = 0; i < CALL_SLOTS; i++)
		if (m->calls[i].count)
			fn(ctx, container_of_row(m, m->calls[i].number), &m->calls[i]);
}

static struct channel_call_error *error_slot(struct syscall_metrics *m,
					     const struct channel_call_error *e)
{
	size_t first = hash_mix(e->number, (uint64_t)e->call << 32 | e->error) % ERROR_SLOTS;

	for (size_t i = 0; i < ERROR_SLOTS; i++) {
		struct channel_call_error *slot = &m->errors[(first + i) % ERROR_SLOTS];

		if (!slot->count ||
		    (slot->number == e->number && slot->call == e->call && slot->error == e->error))
			return slot;
	}
	return NULL;
}

void syscall_metrics_errors(struct syscall_metrics *m, const struct channel_call_error *errors,
			    size_t count)
{
	char digits[SYSCALL_ERROR_SIZE];

	for (size_t i = 0; i < count; i++) {
		struct channel_call_error *last = error_slot(m, &errors[i]);
		const char *values[] = {container_of_row(m, errors[i].number),
					syscall_name(errors[i].call),
					syscall_error_name(errors[i].error, digits)};

		if (!last || !errors[i].count)
			continue;
		series_add(family_series(m->family[ERRORS], values),
			   (double)(errors[i].count - last->count));
		*last = errors[i];
	}
}

bool syscall_metrics_is_counting(const struct syscall_metrics *m)
{
	return m->is_counting;
}

/* What a total has grown by since it was *last; the series is there from the first time on. */
static void add_grown(struct family *f, const char *const *values, uint64_t *last, uint64_t total)
{
	series_add(family_series(f, values), total > *last ? (double)(total - *last) : 0);
	if (total > *last)
		*last = total;
}

void syscall_metrics_counting(struct syscall_metrics *m, const struct channel_message *message)
{
	static const char *const all[] = {"all"};
	static const char *const network[] = {"network"};
	static const char *const room[] = {"room"};
	static const char *const of_32bit[] = {"32bit"};
	/* There was no room for their number, and only the sum of them is told. */
	static const char *const unnamed[] = {label_other, label_other, label_other};
	bool is_on = message->count;

	m->is_counting = is_on;
	if (message->counting.beginnings != m->beginnings) {
		m->beginnings = message->counting.beginnings;
		m->lost = m->of_32bit = m->errors_unnamed = m->reads_lost = 0;
		memset(m->calls, 0, sizeof(m->calls));
		memset(m->errors, 0, sizeof(m->errors));
	}
	add_grown(m->family[LOST], room, &m->lost, message->counting.lost);
	add_grown(m->family[LOST], of_32bit, &m->of_32bit, message->counting.of_32bit);
	add_grown(m->family[READS_LOST], NULL, &m->reads_lost, message->counting.reads_lost);
	if (message->counting.errors_unnamed)
		add_grown(m->family[ERRORS], unnamed, &m->errors_unnamed,
			  message->counting.errors_unnamed);
	family_set(m->family[COUNTED], is_on);
	series_set(family_series(m->family[FILTER], all),
		   is_on ? (double)message->counting.filter_ns / 1e9 : 0);
	series_set(family_series(m->family[FILTER], network),
		   is_on ? (double)message->counting.network_filter_ns / 1e9 : 0);
}
