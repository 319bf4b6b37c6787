/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/summary.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metrics/red.h"

/* One address for all of each. */
static const char other[] = "_OTHER";
static const char none[] = "";

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
	enum summary_by by;
	bool is_sorted;
	uint64_t first_ns;
	uint64_t last_ns;
	size_t mask;
	struct summary_row **slots;
};

struct summary *summary_new(size_t row_cap, enum summary_by by)
{
	struct summary *s = calloc(1, sizeof(*s));
	size_t size = 16;

	if (!s)
		return NULL;
	while (size < 2 * (row_cap + 2)) /* + 2: each role's row for the rest */
		size *= 2;
	s->row_cap = row_cap;
	s->by = by;
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

/* Of one that has all members, those that rows are made by. */
static struct summary_key key_of(const struct summary *s, const struct open_request *r,
				 uint32_t tgid, uint32_t tid)
{
	struct summary_key key = {.role = r->role, .method = none, .route = none};

	switch (s->by) {
	case SUMMARY_BY_ROUTE:
		key.method = r->known_method;
		key.route = r->route;
		break;
	case SUMMARY_BY_PEER:
		key.peer = *r->remote;
		if (r->role == ROLE_SERVER)
			key.peer.port = 0;
		break;
	case SUMMARY_BY_THREAD:
		key.tid = tid;
		key.tgid = tgid;
		break;
	case SUMMARY_BY_PROCESS:
	default:
		key.tgid = tgid;
		break;
	}
	return key;
}

static size_t key_hash(const struct summary_key *key)
{
	uint64_t words[2];
	uint64_t hash = hash_mix((uintptr_t)key->route, (uintptr_t)key->method ^ key->role);

	memcpy(words, key->peer.addr, sizeof(words));
	hash ^= hash_mix(words[0] ^ key->peer.port, words[1]);
	return hash ^ hash_mix(key->tgid, key->tid);
}

static bool key_is(const struct summary_key *a, const struct summary_key *b)
{
	return a->route == b->route && a->method == b->method && a->role == b->role &&
	       a->tgid == b->tgid && a->tid == b->tid && a->peer.port == b->peer.port &&
	       a->peer.family == b->peer.family &&
	       memcmp(a->peer.addr, b->peer.addr, sizeof(a->peer.addr)) == 0;
}

/* NULL: over the cap, or no memory. */
static struct summary_row *row_find(struct summary *s, const struct summary_key *key, size_t cap)
{
	struct summary_row *row;
	size_t at = key_hash(key) & s->mask;

	for (; (row = s->slots[at]); at = (at + 1) & s->mask)
		if (key_is(&row->key, key))
			return row;
	if (s->count >= cap || !(row = calloc(1, sizeof(*row))))
		return NULL;
	row->key = *key;
	s->slots[at] = row;
	s->rows[s->count++] = row;
	return row;
}

/* The row of the key, or that for the rest. NULL: no memory. */
static struct summary_row *row_of(struct summary *s, const struct summary_key *key)
{
	struct summary_row *row = row_find(s, key, s->row_cap);
	const struct summary_key rest = {.role = key->role, .method = other, .route = other};

	return row ? row : row_find(s, &rest, s->row_cap + 2);
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
	if (t->known_method == row->key.method)
		status_add(row, t->grpc.status);
	row->is_rpc = t->known_method == row->key.method;
	row->errors += *red_error_type(t, buf) != '\0';
	/* What ended a stream, its status says. */
	if (t->error == TXN_CLOSED || t->error == TXN_RESET)
		row->failed[t->error]++;
}

static void stages_add(struct summary_row *row, const struct transaction *t)
{
	const struct stages stages =
		stages_of(t->start_ns, t->request_end_ns, t->read_ns, t->first_byte_ns, t->end_ns);

	for (int i = 0; i < STAGE_MAX; i++)
		if (stages.ns[i] != STAGE_UNKNOWN)
			stage_latency_add(&row->stage[i], stages.ns[i]);
	if (!row->latency.count || t->end_ns - t->start_ns >= row->latency.max_ns)
		row->slowest = stages;
}

static void summary_done(void *ctx, const struct transaction *t)
{
	struct summary *s = ctx;
	const struct open_request r = {t->role, t->known_method, t->route, t->remote, t->start_ns};
	const struct summary_key key = key_of(s, &r, t->tgid, t->tid);
	struct summary_row *row;

	if (t->is_probe)
		return;
	row = row_of(s, &key);
	if (!row)
		return; /* out of memory: the metrics still have it */
	s->is_sorted = false;
	if (s->first_ns == 0 || t->start_ns < s->first_ns)
		s->first_ns = t->start_ns;
	if (t->end_ns > s->last_ns)
		s->last_ns = t->end_ns;
	stages_add(row, t);
	latency_add(&row->latency, t->end_ns > t->start_ns ? t->end_ns - t->start_ns : 0);
	row->request_bytes += t->request_bytes;
	row->response_bytes += t->response_bytes;
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

void summary_open(struct summary *s, const struct open_request *r)
{
	const struct summary_key key = key_of(s, r, 0, 0);
	struct summary_row *row;

	if (s->by == SUMMARY_BY_PROCESS || s->by == SUMMARY_BY_THREAD)
		return;
	row = row_of(s, &key);
	if (row)
		row->open++;
	s->is_sorted = false;
}

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
