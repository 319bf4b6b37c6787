/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection ids are hashes, sequence numbers (bpf/event.h) or counters (capture files): a
 * multiplication spreads all of them.
 */
#define HASH_FUNCTION(key, len, hash)                                                              \
	do {                                                                                       \
		uint64_t id_;                                                                      \
		memcpy(&id_, (key), sizeof(id_));                                                  \
		(hash) = (unsigned)((id_ * 0x9e3779b97f4a7c15u) >> 32);                            \
	} while (0)

#include "flow/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Size of the cache of recently used connections, indexed by a part of the hash; a power of two. */
#define RECENT_BITS 10

/* How long a busy connection keeps its place in the list before it moves to the front. */
#define TOUCH_NS 1000000000u

/*
 * Memory of the hash table per connection beside its handle: one bucket, when half of them are in
 * use.
 */
#define BUCKET_BYTES (2 * sizeof(UT_hash_bucket))

struct conns {
	struct conn *by_id;
	struct conn *recent[1 << RECENT_BITS];
	struct conn *newest;
	struct conn *oldest;
	size_t cap;
	size_t user_size;
	struct memory_budget *budget;
	const struct conn_sink *sink;
	void *owner;
	uint64_t total;
	uint64_t evicted;
	uint64_t evicted_memory;
	uint64_t refused;
	uint64_t ahead_dropped;
};

static void unlink_conn(struct conns *t, struct conn *c)
{
	*(c->newer ? &c->newer->older : &t->newest) = c->older;
	*(c->older ? &c->older->newer : &t->oldest) = c->newer;
}

static void link_newest(struct conns *t, struct conn *c)
{
	c->newer = NULL;
	c->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = c;
	t->newest = c;
}

static struct conn **recent_of(struct conns *t, uint64_t id)
{
	return &t->recent[(id * 0x9e3779b97f4a7c15u) >> (64 - RECENT_BITS)];
}

static void free_conn(struct conns *t, struct conn *c)
{
	struct memory_account account;
	struct conn **recent = recent_of(t, c->id);

	if (*recent == c)
		*recent = NULL;
	unlink_conn(t, c);
	HASH_DEL(t->by_id, c);
	bytes_release(&c->bytes[DIR_INGRESS]);
	bytes_release(&c->bytes[DIR_EGRESS]);
	account = c->memory; /* copied, since it is freed with c */
	memory_credit(&account, BUCKET_BYTES);
	memory_free(&account, c);
	assert(account.used == 0);
}

static void end_conn(struct conns *t, struct conn *c, enum conn_end how, uint64_t time_ns)
{
	/*
	 * The queues of an evicted connection are dropped unreported: its sinks would run in the
	 * middle of another connection's event.
	 */
	if (how != CONN_EVICTED && how != CONN_EVICTED_MEMORY) {
		bytes_flush(&c->bytes[DIR_INGRESS], DIR_INGRESS, &t->sink->bytes, c);
		bytes_flush(&c->bytes[DIR_EGRESS], DIR_EGRESS, &t->sink->bytes, c);
	}
	t->sink->end(c, how, time_ns);
	free_conn(t, c);
}

/* The time of the newest byte of either direction, which is kept exactly; touched_ns is not. */
static uint64_t active_ns(const struct conn *c)
{
	uint64_t in = c->bytes[DIR_INGRESS].last_ns;
	uint64_t out = c->bytes[DIR_EGRESS].last_ns;

	return in > out ? in : out;
}

/*
 * The connection that has been idle for longest, other than the one with the account `keep`.
 * touched_ns is renewed only once in TOUCH_NS, so connections that were active since then move to
 * the front first. Otherwise a flood of new connections could evict a busy one within that time.
 */
static struct conn *longest_idle(struct conns *t, const struct memory_account *keep)
{
	struct conn *c;

	for (;;) {
		c = t->oldest;
		if (c && &c->memory == keep)
			c = c->newer;
		if (!c || active_ns(c) <= c->touched_ns)
			return c;
		c->touched_ns = active_ns(c);
		unlink_conn(t, c);
		link_newest(t, c);
	}
}

/* Callback of struct memory_budget. */
static bool evict_for_memory(void *ctx, const struct memory_account *keep)
{
	struct conns *t = ctx;
	struct conn *c = longest_idle(t, keep);

	if (!c)
		return false;
	t->evicted_memory++;
	end_conn(t, c, CONN_EVICTED_MEMORY, c->touched_ns);
	return true;
}

static inline struct conn *find_conn(struct conns *t, uint64_t id, uint64_t time_ns)
{
	struct conn **recent = recent_of(t, id);
	struct conn *c = *recent;

	if (!c || c->id != id) {
		HASH_FIND(hh, t->by_id, &id, sizeof(id), c);
		if (!c)
			return NULL;
		*recent = c;
	}
	if (time_ns - c->touched_ns >= TOUCH_NS) {
		c->touched_ns = time_ns;
		unlink_conn(t, c);
		link_newest(t, c);
	}
	return c;
}

/* Allocates a connection, charged to its own account, which is one of its members. */
static struct conn *alloc_conn(struct conns *t)
{
	struct memory_account account = {.budget = t->budget};
	struct conn *c = NULL;

	if (!memory_charge(&account, BUCKET_BYTES))
		return NULL;
	c = memory_calloc(&account, 1, sizeof(*c) + t->user_size);
	if (!c) {
		memory_credit(&account, BUCKET_BYTES);
		return NULL;
	}
	c->memory = account;
	c->bytes[DIR_INGRESS].memory = c->bytes[DIR_EGRESS].memory = &c->memory;
	return c;
}

static struct conn *add_conn(struct conns *t, const struct event *ev)
{
	struct conn *c;

	if (HASH_COUNT(t->by_id) >= t->cap) {
		t->evicted++;
		end_conn(t, longest_idle(t, NULL), CONN_EVICTED, ev->time_ns);
	}
	c = alloc_conn(t);
	if (!c) {
		t->refused++;
		return NULL;
	}
	c->id = ev->id;
	c->touched_ns = ev->time_ns;
	c->owner = t->owner;
	HASH_ADD(hh, t->by_id, id, sizeof(c->id), c);
	if (!c->hh.tbl) {
		struct memory_account account = c->memory;

		t->refused++;
		memory_credit(&account, BUCKET_BYTES);
		memory_free(&account, c);
		return NULL;
	}
	link_newest(t, c);
	t->total++;
	return c;
}

static void open_conn(struct conns *t, const struct event *ev)
{
	struct conn *c = find_conn(t, ev->id, ev->time_ns);

	if (!c)
		c = add_conn(t, ev);
	else if (!c->is_early && c->local.family)
		return;
	if (!c)
		return;
	c->local = ev->open.local;
	c->remote = ev->open.remote;
	c->container = ev->open.container;
	c->role = ev->open.role;
	c->was_early = c->is_early;
	c->is_early = ev->open.is_early;
	for (int dir = 0; dir < 2; dir++)
		if (ev->open.has_first[dir])
			bytes_start(&c->bytes[dir], (enum dir)dir, ev->open.first_seq[dir],
				    &t->sink->bytes, c);
}

/*
 * Segments that come before the child socket exists may be out of order, and the first sequence
 * number is not known. They are queued until OPEN of the child socket gives it, or until the
 * socket's acknowledgement shows that nothing before them is missing.
 */
static void push_early(struct conns *t, struct conn *c, const struct segment_view *data,
		       uint64_t time_ns)
{
	struct segment_view segment = *data;

	segment.has_gap = true;
	bytes_push(&c->bytes[data->dir], &segment, time_ns, &t->sink->bytes, c);
}

/* The child socket exists and sends: the gaps below its acknowledgement will not be filled. */
static void leave_early(struct conns *t, struct conn *c, const struct segment_view *data)
{
	struct bytes *b = &c->bytes[DIR_INGRESS];

	bytes_give_up_gaps(b, data, &t->sink->bytes, c);
	c->is_early = false;
	c->was_early = b->queue;
}

static void push_data(struct conns *t, struct conn *c, const struct segment_view *data,
		      uint64_t time_ns)
{
	if (c->is_early && data->dir == DIR_INGRESS) {
		push_early(t, c, data, time_ns);
		return;
	}
	if (c->is_early || (c->was_early && data->dir == DIR_EGRESS))
		leave_early(t, c, data);
	if (c->bytes[dir_other(data->dir)].ahead.first && data->has_peer)
		bytes_acknowledged(&c->bytes[dir_other(data->dir)], data, &t->sink->bytes, c);
	bytes_push(&c->bytes[data->dir], data, time_ns, &t->sink->bytes, c);
	t->ahead_dropped += c->bytes[data->dir].ahead.dropped;
	c->bytes[data->dir].ahead.dropped = 0;
}

static void close_conn(struct conns *t, struct conn *c, const struct event_close *close,
		       uint64_t time_ns)
{
	c->is_closing = true;
	for (int dir = 0; dir < 2 && close->has_end; dir++)
		bytes_advance(&c->bytes[dir], (enum dir)dir, close->reported_seq[dir],
			      close->to_seq[dir], time_ns, &t->sink->bytes, c);
	end_conn(t, c, close->is_reset ? CONN_RESET : CONN_CLOSED, time_ns);
}

static __attribute__((noinline)) void any_event(struct conns *t, const struct event *ev)
{
	struct conn *c;

	switch (ev->kind) {
	case EVENT_OPEN:
		open_conn(t, ev);
		return;
	case EVENT_DATA:
		c = find_conn(t, ev->id, ev->time_ns);
		if (!c)
			c = add_conn(t, ev);
		if (c)
			push_data(t, c, &ev->data, ev->time_ns);
		return;
	case EVENT_READ:
		HASH_FIND(hh, t->by_id, &ev->id, sizeof(ev->id), c);
		if (c && t->sink->read)
			t->sink->read(c, &ev->read, ev->time_ns);
		return;
	case EVENT_CLOSE:
	case EVENT_MUTE:
		c = find_conn(t, ev->id, ev->time_ns);
		if (!c)
			return;
		if (ev->kind == EVENT_MUTE)
			end_conn(t, c, CONN_MUTED, ev->time_ns);
		else
			close_conn(t, c, &ev->close, ev->time_ns);
		return;
	}
}

static inline bool is_in_order(const struct conn *c, const struct segment_view *data,
			       uint64_t time_ns)
{
	const struct bytes *b = &c->bytes[data->dir];
	const struct bytes *other = &c->bytes[dir_other(data->dir)];

	return time_ns - c->touched_ns < TOUCH_NS && !c->is_early && !c->was_early &&
	       other->is_started && !other->ahead.first && bytes_is_in_order(b, data);
}

void conns_event(struct conns *t, const struct event *ev)
{
	const struct segment_view *data = &ev->data;
	struct conn *c;

	/*
	 * The fast path of nearly all events. The rest is not inlined, so that this path saves no
	 * registers.
	 */
	if (ev->kind == EVENT_DATA) {
		c = *recent_of(t, ev->id);
		if (c && c->id == ev->id && is_in_order(c, data, ev->time_ns)) {
			bytes_push_in_order(&c->bytes[data->dir], data, ev->time_ns,
					    &t->sink->bytes, c);
			return;
		}
	}
	any_event(t, ev);
}

struct conns *conns_new(size_t cap, size_t user_size, struct memory_budget *budget,
			const struct conn_sink *sink, void *owner)
{
	struct conns *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->cap = cap ? cap : 1;
	t->user_size = user_size;
	t->sink = sink;
	t->owner = owner;
	t->budget = budget;
	if (budget) {
		budget->evict = evict_for_memory;
		budget->ctx = t;
	}
	return t;
}

void conns_flush(struct conns *t, uint64_t time_ns)
{
	while (t->oldest)
		end_conn(t, t->oldest, CONN_CUT, time_ns);
}

void conns_free(struct conns *t)
{
	if (!t)
		return;
	while (t->oldest)
		free_conn(t, t->oldest);
	free(t);
}

struct conn *conns_find(const struct conns *t, uint64_t id)
{
	struct conn *c;

	HASH_FIND(hh, t->by_id, &id, sizeof(id), c);
	return c;
}

void conns_each(struct conns *t, void (*fn)(void *ctx, struct conn *c), void *ctx)
{
	for (struct conn *c = t->oldest; c; c = c->newer)
		fn(ctx, c);
}

size_t conns_count(const struct conns *t)
{
	return HASH_COUNT(t->by_id);
}

uint64_t conns_total(const struct conns *t)
{
	return t->total;
}

uint64_t conns_evicted(const struct conns *t)
{
	return t->evicted;
}

uint64_t conns_evicted_memory(const struct conns *t)
{
	return t->evicted_memory;
}

uint64_t conns_refused(const struct conns *t)
{
	return t->refused;
}

uint64_t conns_ahead_dropped(const struct conns *t)
{
	return t->ahead_dropped;
}
