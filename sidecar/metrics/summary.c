/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/summary.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "metrics/red.h"

#define OTHER "_OTHER"

/*
 * Invariants:
 *   - rows[0 .. count) are owned, and sorted by count if is_sorted;
 *   - slots is an open-addressing table of the rows, its size a power of two
 *     and more than row_cap; the rows of overflow are in it too.
 */
struct summary {
	struct summary_row **rows;
	size_t count;
	size_t row_cap;
	bool is_sorted;
	uint64_t first_ns;
	uint64_t last_ns;
	size_t mask;
	struct summary_row **slots;
};

struct summary *summary_new(size_t row_cap)
{
	struct summary *s = calloc(1, sizeof(*s));
	size_t size = 16;

	if (!s)
		return NULL;
	while (size < 2 * (row_cap + 2)) /* + 2: each role's row for the rest */
		size *= 2;
	s->row_cap = row_cap;
	s->mask = size - 1;
	s->rows = calloc(row_cap + 2, sizeof(struct summary_row *));
	s->slots = calloc(size, sizeof(struct summary_row *));
	if (s->rows && s->slots)
		return s;
	summary_free(s);
	return NULL;
}

void summary_free(struct summary *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->rows && i < s->count; i++)
		free(s->rows[i]);
	free(s->rows);
	free(s->slots);
	free(s);
}

/* NULL: over the cap, or no memory. */
static struct summary_row *row_find(struct summary *s, enum role role, const char *method,
				    const char *route, size_t cap)
{
	struct summary_row *row;
	size_t at = hash_mix((uintptr_t)route, (uintptr_t)method ^ role) & s->mask;

	for (; (row = s->slots[at]); at = (at + 1) & s->mask)
		if (row->route == route && row->method == method && row->role == role)
			return row;
	if (s->count >= cap || !(row = calloc(1, sizeof(*row))))
		return NULL;
	row->role = role;
	row->method = method;
	row->route = route;
	s->slots[at] = row;
	s->rows[s->count++] = row;
	return row;
}

static void status_add(struct summary_row *row, uint16_t status)
{
	for (size_t i = 0; i < SUMMARY_STATUSES; i++) {
		struct summary_status *st = &row->status[i];

		if (st->count == 0)
			st->status = status;
		if (st->status == status) {
			st->count++;
			return;
		}
	}
	row->status_other++;
}

static __attribute__((noinline)) void rpc_add(struct summary_row *row, const struct transaction *t)
{
	char buf[GRPC_STATUS_SIZE];

	/* In the row for the rest, codes would be taken for those of HTTP. */
	if (t->known_method == row->method)
		status_add(row, t->grpc.status);
	row->is_rpc = t->known_method == row->method;
	row->errors += *red_error_type(t, buf) != '\0';
	/* What ended a stream, its status says. */
	if (t->error == TXN_CLOSED || t->error == TXN_RESET)
		row->failed[t->error]++;
}

static void summary_done(void *ctx, const struct transaction *t)
{
	static const char other[] = OTHER; /* one address for all of them */
	struct summary *s = ctx;
	struct summary_row *row;

	if (t->is_probe)
		return;
	row = row_find(s, t->role, t->known_method, t->route, s->row_cap);
	if (!row)
		row = row_find(s, t->role, other, other, s->row_cap + 2);
	if (!row)
		return; /* out of memory: the metrics still have it */
	s->is_sorted = false;
	if (s->first_ns == 0 || t->start_ns < s->first_ns)
		s->first_ns = t->start_ns;
	if (t->end_ns > s->last_ns)
		s->last_ns = t->end_ns;
	latency_add(&row->latency, t->end_ns > t->start_ns ? t->end_ns - t->start_ns : 0);
	if (t->protocol == TXN_GRPC)
		rpc_add(row, t);
	else if (t->http.status)
		status_add(row, t->http.status);
	if (t->error != TXN_OK)
		row->failed[t->error]++;
	if (t->protocol == TXN_HTTP &&
	    (t->error != TXN_OK || t->http.status >= (t->role == ROLE_CLIENT ? 400 : 500)))
		row->errors++;
}

const struct txn_sink summary_sink = {.done = summary_done};

size_t summary_row_count(const struct summary *s)
{
	return s->count;
}

static int row_compare(const void *a, const void *b)
{
	uint64_t left = (*(struct summary_row *const *)a)->latency.count;
	uint64_t right = (*(struct summary_row *const *)b)->latency.count;

	return left < right ? 1 : left > right ? -1 : 0;
}

const struct summary_row *summary_row(struct summary *s, size_t i)
{
	if (!s->is_sorted) {
		qsort(s->rows, s->count, sizeof(struct summary_row *), row_compare);
		s->is_sorted = true;
	}
	return s->rows[i];
}

const char *summary_status_name(const struct summary_row *row, unsigned status,
				char buf[GRPC_STATUS_SIZE])
{
	if (row->is_rpc)
		return grpc_status_name(status, buf);
	if (status == TXN_STATUS_UNKNOWN)
		return txn_unknown;
	(void)snprintf(buf, GRPC_STATUS_SIZE, "%u", status); /* at most five digits */
	return buf;
}

uint64_t summary_elapsed_ns(const struct summary *s)
{
	return s->last_ns > s->first_ns ? s->last_ns - s->first_ns : 0;
}
