/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections. Input: events. Output: the bytes of each connection, in sequence order.
 *
 * Each connection has room for the state of its user (the session), zeroed at the start. The table
 * is bounded in connections and by a memory budget. When either is exhausted, the connection that
 * has been idle for longest, to within a second, is evicted.
 */
#ifndef SIDELIGHT_FLOW_CONN_H
#define SIDELIGHT_FLOW_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "flow/bytes.h"

/* uthash refuses the connection if there is no memory, instead of exiting. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum conn_end {
	CONN_CLOSED, /* closed in order */
	CONN_RESET,
	CONN_EVICTED, /* it goes on, unobserved: too many connections */
	CONN_MUTED, /* it goes on, and its source sends no more of it (enum sl_mute) */
	CONN_UNDECRYPTABLE, /* it goes on, and cannot be decrypted (any more) */
	CONN_CUT, /* the source has ended */
	CONN_EVICTED_MEMORY, /* it goes on, unobserved: the memory budget is exhausted */
};

struct conn {
	UT_hash_handle hh;
	struct conn *newer; /* in the order of touched_ns */
	struct conn *older;
	/* Charged for all memory of the connection, this struct included. */
	struct memory_account memory;
	uint64_t container;
	struct endpoint local; /* family 0: not known */
	struct endpoint remote;
	enum role role;
	/*
	 * The members that each event reads are contiguous, up to the first ones of the user's
	 * state.
	 */
	bool is_early; /* seen only with the listener's socket so far (event_open.is_early) */
	/* The child socket exists now; earlier segments may still be queued behind a gap. */
	bool was_early;
	bool is_closing; /* CLOSE has come: data that goes out now passed before it */
	uint64_t id;
	uint64_t touched_ns; /* time of an event, at most a second before that of the last one */
	void *owner; /* the table's owner */
	struct bytes bytes[2]; /* by enum dir */
	_Alignas(16) char user[];
};

struct conn_sink {
	struct bytes_sink bytes; /* ctx is the struct conn */
	/*
	 * The last call for a connection. Its sequence gaps are given up before, unless it is
	 * evicted.
	 */
	void (*end)(struct conn *c, enum conn_end how, uint64_t time_ns);
	/* NULL: nobody asks. */
	void (*read)(struct conn *c, const struct event_read *read, uint64_t time_ns);
};

struct conns;

/*
 * Each connection gets user_size bytes in conn.user, and owner in conn.owner. The budget is
 * borrowed, may be NULL, and evicts connections of this table. Returns NULL if there is no memory.
 */
struct conns *conns_new(size_t cap, size_t user_size, struct memory_budget *budget,
			const struct conn_sink *sink, void *owner);
/* Frees the table without calling the sink; call conns_flush() first. Accepts NULL. */
void conns_free(struct conns *t);

/* Handles all kinds of events. Data of an unknown connection creates one of unknown role. */
void conns_event(struct conns *t, const struct event *ev);

/* Ends all connections with CONN_CUT. */
void conns_flush(struct conns *t, uint64_t time_ns);

/* NULL: there is none. Does not count as activity of the connection. */
struct conn *conns_find(const struct conns *t, uint64_t id);
/* Calls fn for each connection, which must neither end nor begin one. */
void conns_each(struct conns *t, void (*fn)(void *ctx, struct conn *c), void *ctx);

size_t conns_count(const struct conns *t);
uint64_t conns_total(const struct conns *t);
uint64_t conns_evicted(const struct conns *t);
/* Connections evicted because the memory budget was exhausted; not included in conns_evicted(). */
uint64_t conns_evicted_memory(const struct conns *t);
/* Events of connections for which there was no memory. */
uint64_t conns_refused(const struct conns *t);
/* Segments ahead for which a direction had no room (flow/ahead.h). */
uint64_t conns_ahead_dropped(const struct conns *t);

#endif
