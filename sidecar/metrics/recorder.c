/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/recorder.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/copy.h"
#include "proto/method.h"

/* Routes that have a cell of their own; one more is shared by all others. */
#define CELLS	    64u
#define SHARED_CELL CELLS
/* After so long, a slow request gives its place to a faster one. */
#define SLOW_AGE_NS (3600 * UINT64_C(1000000000))
/* Longer methods are cut; those that are registered have at most 17 characters. */
#define METHOD_MAX 32

/* Out of line, so that the usual path saves no registers for it. */
#define cold __attribute__((cold, noinline))

_Static_assert(sizeof(struct record) == RECORD_BYTES, "whole cache lines");
_Static_assert(_Alignof(struct trace_context) == 1, "it may stand at any place of the text");

/* The slowest requests of one route. */
struct cell {
	const char *route; /* NULL: free */
	uint64_t floor_ns; /* what is slower than this is one of them */
};

/*
 * Invariants:
 *   - next is in [recent, end), the place of the request `number`;
 *   - recent[] has the requests [number - recent_count, number) but for those before 1;
 *   - slow[] has slow_count places for each cell, one cell after the other.
 */
struct recorder {
	struct record *next;
	struct record *end; /* of recent */
	uint64_t number;
	uint64_t notify_at;
	struct cell cells[CELLS + 1];
	struct record *recent; /* owned, with the other two behind it */
	struct record *errors;
	struct record *slow;
	size_t recent_count;
	size_t error_count;
	size_t slow_count; /* of each cell */
	size_t next_error;
	void (*notify)(void *ctx);
	void *notify_ctx;
	struct recorded_headers *headers; /* by place, from recent on; NULL: nobody wants any */
	uint64_t kept; /* requests that went from recent to another place */
	struct recorder_stats stats;
};

/* Records of the slowest requests of one route: its share of an eighth of all, at least one. */
static size_t slow_count(size_t recent)
{
	size_t count = recent / 8 / CELLS;

	return count ? count : 1;
}

static size_t error_count(size_t recent)
{
	size_t slow = slow_count(recent) * (CELLS + 1);

	return recent / 4 > slow + recent / 8 ? recent / 4 - slow : recent / 8;
}

static size_t record_count(size_t recent)
{
	return recent + error_count(recent) + slow_count(recent) * (CELLS + 1);
}

size_t recorder_bytes(size_t recent)
{
	return sizeof(struct recorder) + record_count(recent) * sizeof(struct record);
}

size_t recorder_fit(size_t bytes)
{
	size_t recent = bytes / sizeof(struct record);

	while (recent >= RECORDER_RECENT_MIN && recorder_bytes(recent) > bytes)
		recent -= (recorder_bytes(recent) - bytes) / sizeof(struct record) / 2 + 1;
	return recent >= RECORDER_RECENT_MIN && recorder_bytes(recent) <= bytes ? recent : 0;
}

struct recorder *recorder_new(size_t recent)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->recent_count = recent;
	r->error_count = error_count(recent);
	r->slow_count = slow_count(recent);
	/* Zeroed by the kernel: its pages are not there before they are written. */
	r->recent = calloc(record_count(recent), sizeof(struct record));
	if (!r->recent) {
		free(r);
		return NULL;
	}
	r->errors = r->recent + recent;
	r->slow = r->errors + r->error_count;
	r->next = r->recent;
	r->end = r->recent + recent;
	r->number = 1;
	r->notify_at = UINT64_MAX;
	r->stats.bytes = recorder_bytes(recent);
	r->stats.recent = recent;
	r->stats.kept = record_count(recent) - recent;
	return r;
}

void recorder_free(struct recorder *r)
{
	if (r) {
		recorded_headers_free(r->headers);
		free(r->recent);
	}
	free(r);
}

static uint64_t duration_of(const struct record *e)
{
	return e->end_ns - e->start_ns;
}

bool record_is_error(const struct record *e)
{
	unsigned limit = e->role == ROLE_CLIENT ? 400 : 500;

	return e->error || (e->protocol == TXN_GRPC ? e->grpc_status != 0 : e->status >= limit);
}

/* --- what is kept longer ----------------------------------------------------------- */

static struct record *slow_of(const struct recorder *r, size_t cell)
{
	return r->slow + cell * r->slow_count;
}

static bool is_aged(const struct record *e, uint64_t now_ns)
{
	return !e->number || e->end_ns + SLOW_AGE_NS < now_ns;
}

/* The place that the next one gets: an empty or aged one, else that of the fastest. */
static struct record *slow_place(const struct recorder *r, size_t cell, uint64_t now_ns)
{
	struct record *slow = slow_of(r, cell);
	struct record *least = &slow[0];

	for (size_t i = 0; i < r->slow_count; i++) {
		if (is_aged(&slow[i], now_ns))
			return &slow[i];
		if (duration_of(&slow[i]) < duration_of(least))
			least = &slow[i];
	}
	return least;
}

static void set_floor(struct recorder *r, size_t cell, uint64_t now_ns)
{
	const struct record *e = slow_place(r, cell, now_ns);

	r->cells[cell].floor_ns = is_aged(e, now_ns) ? 0 : duration_of(e);
}

/* The record leaves the ring of recent ones, and is kept if it is worth it. */
static cold void keep(struct recorder *r, const struct record *e, uint64_t now_ns)
{
	enum recorder_place where = record_is_error(e) ? RECORDER_ERROR : RECORDER_SLOW;
	struct record *to;

	if (where == RECORDER_SLOW && duration_of(e) <= r->cells[e->route_cell].floor_ns)
		return;
	if (where == RECORDER_ERROR) {
		to = &r->errors[r->next_error++];
		if (r->next_error == r->error_count)
			r->next_error = 0;
	} else {
		to = slow_place(r, e->route_cell, now_ns);
	}
	r->stats.overwritten[where] += to->number != 0;
	r->kept++;
	*to = *e;
	if (r->headers)
		recorded_headers_move(r->headers, (size_t)(e - r->recent),
				      (size_t)(to - r->recent));
	if (where == RECORDER_SLOW)
		set_floor(r, e->route_cell, now_ns);
}

/* The ring begins anew. */
static cold void wrap(struct recorder *r, uint64_t now_ns)
{
	r->next = r->recent;
	for (size_t i = 0; i <= CELLS; i++)
		if (r->cells[i].floor_ns)
			set_floor(r, i, now_ns);
}

static size_t cell_hash(const char *route)
{
	uintptr_t at = (uintptr_t)route;

	return (at >> 4 ^ at >> 10) % CELLS;
}

static cold size_t cell_find(struct recorder *r, const char *route)
{
	size_t at = cell_hash(route);

	for (size_t i = 0; i < CELLS; i++, at = (at + 1) % CELLS) {
		if (!r->cells[at].route)
			r->cells[at].route = route;
		if (r->cells[at].route == route)
			return at;
	}
	r->stats.routes_overflowed++;
	return SHARED_CELL;
}

/* --- recording ----------------------------------------------------------------------- */

/* The characters that method and target may have. */
static inline size_t text_max(const struct record *e)
{
	return e->has_trace ? RECORD_TRACED_TEXT_MAX : RECORD_TEXT_MAX;
}

static cold void store_redacted(struct recorder *r, struct record *e, struct span target)
{
	bool is_cut;

	e->target_len = (uint16_t)redact_target(target, e->text + e->method_len,
						text_max(e) - e->method_len, &is_cut);
	e->is_cut = is_cut;
	r->stats.targets_cut += is_cut;
}

/* A call of gRPC, or a method that is not among the known ones. */
static cold size_t store_method(struct record *e, struct span method)
{
	size_t len = method.len < METHOD_MAX ? method.len : METHOD_MAX;

	if (len)
		memcpy(e->text, method.ptr, len);
	return len;
}

static inline void store_text(struct recorder *r, struct record *e, const struct txn_http *http)
{
	size_t method = method_is_known(e->known_method) ? 0 : store_method(e, http->method);
	size_t target = http->target.len;
	char *text = e->text + method;

	e->method_len = (uint8_t)method;
	e->is_cut = false;
	e->target_len = (uint16_t)target;
	if (target > text_max(e) - method) {
		store_redacted(r, e, http->target);
		return;
	}
	copy_short(text, http->target.ptr, target);
	memset(text + target, 0, REDACT_PADDING);
	if (__builtin_expect(redact_may_change(text, target), 0))
		store_redacted(r, e, http->target);
}

/* Members that stand in the same order in both, so that a few wide moves copy them. */
#define RUN_BYTES (offsetof(struct record, messages) - offsetof(struct record, known_method))
#define IN_RUN(member)                                                                             \
	_Static_assert(offsetof(struct record, member) - offsetof(struct record, known_method) ==  \
			       offsetof(struct transaction, member) -                              \
				       offsetof(struct transaction, known_method),                 \
		       "the same order")
IN_RUN(route);
IN_RUN(server_address);
IN_RUN(server_port);
IN_RUN(error);
IN_RUN(is_probe);
IN_RUN(is_tls);
IN_RUN(start_ns);
IN_RUN(request_end_ns);
IN_RUN(read_ns);
IN_RUN(first_byte_ns);
IN_RUN(end_ns);
IN_RUN(request_bytes);
IN_RUN(response_bytes);
_Static_assert(offsetof(struct transaction, http) - offsetof(struct transaction, known_method) ==
		       RUN_BYTES,
	       "nothing else is in it");

static inline void store(struct record *e, const struct transaction *t)
{
	memcpy((char *)e + offsetof(struct record, known_method),
	       (const char *)t + offsetof(struct transaction, known_method), RUN_BYTES);
	e->conn_id = t->conn_id;
	e->container = t->container;
	e->messages[0] = t->grpc.messages[0];
	e->messages[1] = t->grpc.messages[1];
	e->tid = t->tid;
	e->tgid = t->tgid;
	e->stream = t->http.stream;
	e->local = *t->local;
	e->remote = *t->remote;
	e->status = t->http.status;
	e->grpc_status = t->grpc.status;
	e->protocol = (uint8_t)t->protocol;
	e->role = (uint8_t)t->role;
	e->version = (uint8_t)t->http.version;
}

/* Whether keep() has to look at it. No status below 400 is an error's. */
static inline bool may_be_kept(const struct recorder *r, const struct record *e)
{
	return (e->status >= 400) | (e->grpc_status != 0) | (e->error != TXN_OK) |
	       (duration_of(e) > r->cells[e->route_cell].floor_ns);
}

static void recorder_done(void *ctx, const struct transaction *t)
{
	struct recorder *r = ctx;
	struct record *e = r->next;
	size_t cell = cell_hash(t->route);

	if (__builtin_expect(may_be_kept(r, e), 0))
		keep(r, e, t->end_ns);
	if (__builtin_expect(r->cells[cell].route != t->route, 0))
		cell = cell_find(r, t->route);
	store(e, t);
	e->route_cell = (uint8_t)cell;
	e->number = r->number++;
	e->has_trace = t->trace;
	store_text(r, e, &t->http);
	if (t->trace)
		memcpy(e->text + sizeof(e->text) - sizeof(*t->trace), t->trace, sizeof(*t->trace));
	if (__builtin_expect(r->headers != NULL, 0))
		recorded_headers_set(r->headers, (size_t)(e - r->recent), t->headers);
	if (__builtin_expect(++r->next == r->end, 0))
		wrap(r, e->end_ns);
	if (__builtin_expect(e->number >= r->notify_at, 0)) {
		r->notify_at = UINT64_MAX;
		r->notify(r->notify_ctx);
	}
}

const struct txn_sink recorder_sink = {.needs = TXN_NEED_TARGET | TXN_NEED_TRACE,
				       .done = recorder_done};

void recorder_notify(struct recorder *r, uint64_t number, void (*fn)(void *ctx), void *ctx)
{
	r->notify = fn;
	r->notify_ctx = ctx;
	r->notify_at = number;
}

int recorder_follow_headers(struct recorder *r, const struct header_wishes *wishes,
			    struct memory_budget *budget)
{
	if (!wishes->first) {
		recorded_headers_free(r->headers);
		r->headers = NULL;
	} else if (r->headers) {
		recorded_headers_retain(r->headers);
	} else {
		r->headers = recorded_headers_new(r->recent_count, r->recent_count + r->stats.kept,
						  wishes, budget, &r->stats.headers);
	}
	return wishes->first && !r->headers ? -ENOMEM : 0;
}

/* --- reading ------------------------------------------------------------------------- */

uint64_t recorder_next_number(const struct recorder *r)
{
	return r->number;
}

uint64_t recorder_oldest(const struct recorder *r)
{
	return r->number > r->recent_count ? r->number - r->recent_count : 1;
}

const struct record *recorder_next(const struct recorder *r, uint64_t number)
{
	const struct record *found = NULL;
	size_t at = (size_t)(r->next - r->recent) + r->recent_count; /* of r->number, not wrapped */

	if (number >= r->number)
		return NULL;
	if (number < recorder_oldest(r)) {
		for (size_t i = 0; i < r->stats.kept; i++) {
			const struct record *e = &r->errors[i]; /* those of slow follow */

			if (e->number >= number && (!found || e->number < found->number))
				found = e;
		}
		if (found)
			return found;
		number = recorder_oldest(r);
	}
	return &r->recent[(at - (size_t)(r->number - number)) % r->recent_count];
}

const struct headers *recorder_headers(const struct recorder *r, const struct record *e)
{
	return r->headers ? recorded_headers_get(r->headers, (size_t)(e - r->recent)) : NULL;
}

const struct recorder_stats *recorder_stats(struct recorder *r)
{
	r->stats.recorded = r->number - 1;
	r->stats.overwritten[RECORDER_RECENT] = recorder_oldest(r) - 1 - r->kept;
	return &r->stats;
}
