/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TCP connection of a capture, and the table of them. For streams.c,
 * which knows what the members mean.
 *
 * Invariants of the table, true between any two calls:
 *   - every entry is in the hash and in exactly one of the two lists: closed
 *     if is_closed, else live;
 *   - both lists begin with what was used longest ago;
 *   - the list `held` has the entries with waiting packets;
 *   - count <= cap.
 */
#ifndef SIDELIGHT_CAPTURE_STREAM_H
#define SIDELIGHT_CAPTURE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys come from the wire: a seeded hash, and no abort when memory is short. */
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
#include "capture/held.h"
#include "capture/packet.h"
#include "capture/seen.h"

/* Address and port of both ends, the lower one first, without padding. */
struct stream_key {
	uint8_t bytes[2][19];
};

/* One direction, named by its sender. */
struct half {
	struct seen seen;
	uint32_t isn;
	uint32_t fin; /* sequence number of the FIN */
	bool has_isn;
	bool has_fin;
	bool is_fin_acked;
	bool has_begun; /* where the direction starts was handed out */
	bool owes_floor; /* bytes above a hole are lost, and nobody was told yet */
	uint64_t bytes;
	uint32_t retransmits;
};

struct stream {
	struct stream_key key;
	UT_hash_handle hh;
	struct stream *prev;
	struct stream *next;
	struct stream *held_prev;
	struct stream *held_next;
	struct held held; /* if it is not empty, the entry is in the table's list */
	uint64_t id;
	struct endpoint end[2]; /* as in key */
	UT_hash_handle by_token; /* in the table's hash first_subflows; valid if has_token */
	uint32_t token; /* of its MPTCP connection; valid if has_token */
	bool has_token;
	bool is_muted; /* a subflow of an MPTCP connection with several: closed, packets ignored */
	struct half half[2]; /* half[i] is sent by end[i] */
	unsigned local; /* index of the observed end */
	enum role role;
	bool is_open; /* OPEN was handed out */
	bool is_closed;
	bool is_refused; /* by the hash table, for want of memory */
};

struct stream_table {
	struct stream *hash;
	struct stream *first_subflows; /* hash of MPTCP connections by token */
	struct stream *live;
	struct stream *closed;
	struct stream *held; /* by the time since when the first packet waits, more or less */
	size_t held_bytes;
	size_t count;
	size_t cap; /* at least 1 */
	uint64_t last_id;
	uint64_t evicted; /* while live */
};

/* The key of a packet's connection. Returns which end of it is the sender. */
unsigned stream_key(const struct packet *p, struct stream_key *ret);

void stream_table_init(struct stream_table *t, size_t cap);
void stream_table_release(struct stream_table *t);

/* NULL: not there. */
struct stream *stream_find(const struct stream_table *t, const struct stream_key *key);

/*
 * A new entry for a packet's connection, which must not be there. At the cap
 * the oldest closed entry goes, else the oldest live one. NULL: no memory.
 */
struct stream *stream_add(struct stream_table *t, const struct packet *p,
			  const struct stream_key *key, unsigned from);

/* It was used just now; it is live. */
void stream_touch(struct stream_table *t, struct stream *c);

/* From live to closed. */
void stream_close(struct stream_table *t, struct stream *c);

/* Stores that c is the first subflow of an MPTCP connection. Returns false without memory. */
bool stream_add_token(struct stream_table *t, struct stream *c, uint32_t token);
void stream_remove_token(struct stream_table *t, struct stream *c);
/* Returns a first subflow with this token, or NULL. */
struct stream *stream_find_token(const struct stream_table *t, uint32_t token);

/* A copy of p waits behind the others of c. False: there is no room. */
bool stream_hold(struct stream_table *t, struct stream *c, const struct packet *p, unsigned from,
		 uint64_t time_ns);
/* The packet of c that waits longest, for held_free() with t->held_bytes; NULL: none. */
struct held_packet *stream_unhold(struct stream_table *t, struct stream *c);

/* Drops what waits. */
void stream_remove(struct stream_table *t, struct stream *c);

#endif
