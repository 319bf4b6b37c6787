/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of one connection that wait for an earlier one.
 *
 * A capture that is taken on several queues, or at both ends of a virtual
 * link, may hold a packet behind the one that acknowledges it. The packet with
 * the acknowledgement, and all that follow it, wait here for a short time: then
 * the acknowledged bytes are either there, or known to be missing.
 */
#ifndef SIDELIGHT_CAPTURE_HELD_H
#define SIDELIGHT_CAPTURE_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/packet.h"

/* The reordering window: packets of the connection, and time since the first of them. */
#define HELD_PACKETS_MAX 16
#define HELD_NS_MAX	 100000000u

/* Memory for the waiting packets of all connections. */
#define HELD_BYTES_MAX (8u << 20)

struct held_packet {
	struct held_packet *next;
	struct packet packet;
	unsigned from; /* which end of the connection sent it */
	uint64_t time_ns;
	size_t bytes; /* what it costs */
	char data[];
};

/* All zeros: empty. Owns its packets. */
struct held {
	struct held_packet *first;
	struct held_packet *last;
	unsigned count;
};

/*
 * Appends a copy. total: what all queues together cost. False: there is no room,
 * or no memory.
 */
bool held_append(struct held *h, const struct packet *p, unsigned from, uint64_t time_ns,
		 size_t *total);

/* The first packet, which the caller gives to held_free(); NULL: none. */
struct held_packet *held_pop(struct held *h);
void held_free(struct held_packet *p, size_t *total);

/* The reordering window of the first packet has passed. */
static inline bool held_is_over(const struct held *h, uint64_t now_ns)
{
	return h->count > HELD_PACKETS_MAX ||
	       (h->first && now_ns > h->first->time_ns && now_ns - h->first->time_ns > HELD_NS_MAX);
}

/* Drops all packets. */
void held_release(struct held *h, size_t *total);

#endif
