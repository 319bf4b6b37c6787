/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections of a capture file, and the table of them. segment.c and streams.c set the
 * members.
 *
 * Invariants of the table, true between any two calls:
 *   - every entry is in the hash and in exactly one of the two lists: closed if is_closed,
 *     else live;
 *   - both lists are sorted by last use, oldest first;
 *   - the list `queued` has the entries with a non-empty reorder queue;
 *   - count <= cap.
 */
#ifndef SIDELIGHT_CAPTURE_STREAM_H
#define SIDELIGHT_CAPTURE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys are under control of peers: the hash is seeded, and a failed allocation is not fatal. */
extern uint64_t stream_seed;
#define HASH_FUNCTION(key, len, hash)                                                              \
	do {                                                                                       \
		(hash) = (unsigned)hash_bytes(key, len, stream_seed);                              \
	} while (0)
#define HASH_NONFATAL_OOM	 1
#define uthash_nonfatal_oom(elt) ((void)((elt)->is_refused = true))
#include <uthash.h>

#include "base/hash.h"
#include "capture/event.h"
#include "capture/reorder_queue.h"
#include "capture/packet.h"
#include "capture/seen.h"

/* Address and port of both ends, the lower end first, without padding. */
struct stream_key {
	uint8_t bytes[2][19];
};

/* One direction, identified by its sender. */
struct direction {
	struct seen seen;
	uint32_t isn;
	uint32_t fin; /* sequence number of the FIN */
	bool has_isn;
	bool has_fin;
	bool is_fin_acked;
	bool has_reported_start; /* the start of the direction was reported */
	bool must_report_floor; /* bytes above a gap are lost, and that was not reported yet */
	uint64_t bytes;
	uint32_t retransmits;
};

struct stream {
	struct stream_key key;
	UT_hash_handle hh;
	struct stream *prev;
	struct stream *next;
	struct stream *queued_prev;
	struct stream *queued_next;
	/* If it is not empty, the entry is in the table's list `queued`. */
	struct reorder_queue queue;
	uint64_t id;
	struct endpoint end[2]; /* as in key */
	UT_hash_handle by_token; /* in the table's hash first_subflows; valid if has_token */
	uint32_t token; /* of its MPTCP connection; valid if has_token */
	bool has_token;
	bool is_muted; /* a subflow of an MPTCP connection with several: closed, packets ignored */
	struct direction direction[2]; /* direction[i] is sent by end[i] */
	unsigned local; /* index of the observed end */
	enum role role;
	bool is_open; /* OPEN was reported */
	bool is_closed;
	bool is_refused; /* the hash table had no memory */
};

struct stream_table {
	struct stream *hash;
	struct stream *first_subflows; /* hash of MPTCP connections by token */
	struct stream *live;
	struct stream *closed;
	struct stream *queued; /* roughly by the time of the first queued packet */
	size_t queued_bytes;
	size_t count;
	size_t cap; /* at least 1 */
	uint64_t last_id;
	uint64_t evicted; /* evicted while live */
};

/* The key of a packet's connection. Returns the index of the end that sent the packet. */
unsigned stream_key(const struct packet *p, struct stream_key *ret);

void stream_table_init(struct stream_table *t, size_t cap);
void stream_table_release(struct stream_table *t);

/* Returns NULL if there is no such entry. */
struct stream *stream_find(const struct stream_table *t, const struct stream_key *key);

/*
 * Adds an entry for a packet's connection, which must not exist. At the cap the oldest closed entry
 * is removed, else the oldest live one. Returns NULL if there is no memory.
 */
struct stream *stream_add(struct stream_table *t, const struct packet *p,
			  const struct stream_key *key, unsigned from);

/* Moves a live entry to the end of its list. */
void stream_touch(struct stream_table *t, struct stream *c);

/* Moves an entry from live to closed. */
void stream_close(struct stream_table *t, struct stream *c);

/* Stores that c is the first subflow of an MPTCP connection. Returns false without memory. */
bool stream_add_token(struct stream_table *t, struct stream *c, uint32_t token);
void stream_remove_token(struct stream_table *t, struct stream *c);
/* Returns a first subflow with this token, or NULL. */
struct stream *stream_find_token(const struct stream_table *t, uint32_t token);

/* Appends a copy of p to the entry's reorder queue. Returns false if there is no room. */
bool stream_enqueue(struct stream_table *t, struct stream *c, const struct packet *p, unsigned from,
		    uint64_t time_ns);
/*
 * Removes the oldest packet from the queue; the caller frees it with queued_packet_free() and
 * t->queued_bytes. Returns NULL if the queue is empty.
 */
struct queued_packet *stream_dequeue(struct stream_table *t, struct stream *c);

/* Removes an entry and its queued packets. */
void stream_remove(struct stream_table *t, struct stream *c);

#endif
