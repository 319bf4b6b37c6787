/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded set of connections that treats their source addresses fairly.
 *
 * When it is full, the source with the most members gives one up. So a source
 * that floods competes with itself, and a source with one member keeps it as long as any other has
 * two. room_next() takes the sources in rotation for the same reason.
 *
 * Invariants: count is the sum of the sources' counts and never above
 * capacity; a source without members is free for another address; the members
 * of a source are a list, oldest first.
 */
#ifndef SIDELIGHT_WEBHOOK_ROOM_H
#define SIDELIGHT_WEBHOOK_ROOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct room_source;

/* Embedded in a connection; in one room at a time. */
struct room_member {
	struct room_member *older;
	struct room_member *newer;
	struct room_source *source; /* NULL: in no room */
	uint64_t entered; /* number of its entrance or last touch */
};

struct room_source {
	uint64_t key;
	unsigned count; /* 0: free */
	struct room_member *oldest;
	struct room_member *newest;
};

struct room {
	unsigned capacity;
	unsigned count;
	unsigned used; /* sources[used] and what follows is free */
	unsigned next_source; /* source that room_next() looks at first */
	uint64_t entered;
	struct room_source *sources; /* as many as the capacity */
};

/*
 * One number for a source: an IPv4 address, or the /64 of an IPv6 address,
 * inside of which a host chooses freely.
 */
uint64_t room_key(const struct sockaddr *address);

/* Returns 0 or -ENOMEM; room_release() accepts a zeroed room. */
int room_init(struct room *r, unsigned capacity);
void room_release(struct room *r);

static inline bool room_is_full(const struct room *r)
{
	return r->count == r->capacity;
}

/* The room must not be full. */
void room_enter(struct room *r, struct room_member *m, uint64_t key);
void room_leave(struct room *r, struct room_member *m);
/* From now on m is the newest member of its source. */
void room_touch(struct room *r, struct room_member *m);

/* The oldest member with this key, or NULL. */
struct room_member *room_oldest_of(const struct room *r, uint64_t key);
/* How many members have this key. */
unsigned room_count_of(const struct room *r, uint64_t key);

/*
 * The source that has to give way: the one with the most members, among equals
 * the one that has the oldest member. NULL if the room is empty.
 */
struct room_source *room_largest(const struct room *r);

/* The oldest member of the next source in rotation. */
struct room_member *room_next(struct room *r);

#endif
