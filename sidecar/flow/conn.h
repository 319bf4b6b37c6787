/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections: events in; per connection its bytes in order out.
 *
 * Each connection carries room for its owner's state (the protocol), zeroed
 * when it begins. The table is bounded, in connections and by a memory budget: when
 * either is exhausted, the connection that was silent for longest is evicted, give or
 * take a second.
 */
#ifndef SIDELIGHT_FLOW_CONN_H
#define SIDELIGHT_FLOW_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "flow/bytes.h"

/* A table that finds no memory refuses the connection. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum conn_end {
	CONN_CLOSED, /* in order */
	CONN_RESET,
	CONN_EVICTED, /* it goes on, unseen: there are too many */
	CONN_MUTED, /* it goes on, and is not HTTP (any more) */
	CONN_DARK, /* it goes on, and cannot be decrypted (any more) */
	CONN_CUT, /* the source has ended */
	CONN_EVICTED_MEMORY, /* as CONN_EVICTED: the memory budget is exhausted */
};

struct conn {
	UT_hash_handle hh;
	struct conn *newer; /* by touched_ns */
	struct conn *older;
	struct memory_account memory; /* all that is allocated for it, itself included */
	uint64_t container;
	struct endpoint local; /* family 0: not known */
	struct endpoint remote;
	enum role role;
	/* What each event needs lies together, to the first members of its owner's state. */
	bool is_early; /* no socket yet */
	bool was_early; /* the socket is there now; what came before it may wait for a hole */
	bool is_closing; /* CLOSE has come: what goes out now passed before it */
	uint64_t id;
	uint64_t touched_ns; /* an event less than a second before the last one */
	void *owner; /* of the table */
	struct bytes bytes[2]; /* by enum dir */
	_Alignas(16) char user[];
};

struct conn_sink {
	struct bytes_sink bytes; /* ctx is the struct conn */
	/* The last call; unless it is evicted, open holes were given up before it. */
	void (*end)(struct conn *c, enum conn_end how, uint64_t time_ns);
};

struct conns;

/*
 * user_size bytes of conn.user for each connection; owner is conn.owner of each. The budget is
 * borrowed, evicts connections of this table from now on, and may be NULL. NULL: no memory.
 */
struct conns *conns_new(size_t cap, size_t user_size, struct memory_budget *budget,
			const struct conn_sink *sink, void *owner);
/* Frees without calling the sink; conns_flush() first. Accepts NULL. */
void conns_free(struct conns *t);

/* OPEN, DATA, CLOSE and MUTE. Data of an unknown connection makes one, of unknown role. */
void conns_event(struct conns *t, const struct event *ev);

/* Ends all connections with CONN_CUT. */
void conns_flush(struct conns *t, uint64_t time_ns);

size_t conns_count(const struct conns *t);
uint64_t conns_total(const struct conns *t);
uint64_t conns_evicted(const struct conns *t);
/* Evicted because the memory budget was exhausted; not among conns_evicted(). */
uint64_t conns_evicted_memory(const struct conns *t);
/* Events of connections for which there was no memory. */
uint64_t conns_refused(const struct conns *t);
/* Pieces out of order for which a direction had no room (flow/ahead.h). */
uint64_t conns_ahead_dropped(const struct conns *t);

#endif
