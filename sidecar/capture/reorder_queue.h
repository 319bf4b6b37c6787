/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reorder queue: packets of one connection that wait for an earlier one.
 *
 * A capture that is taken on several queues, or at both ends of a virtual link, may contain a
 * packet behind the one that acknowledges it. The packet with the acknowledgement, and all that
 * follow it, are queued for a short time. After that the acknowledged bytes are either there, or
 * missing for good.
 */
#ifndef SIDELIGHT_CAPTURE_REORDER_QUEUE_H
#define SIDELIGHT_CAPTURE_REORDER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/packet.h"

/* Limits of the queue: packets of the connection, and time since the first of them. */
#define REORDER_PACKETS_MAX 16
#define REORDER_NS_MAX	    100000000u

/* Memory for the queued packets of all connections. */
#define REORDER_BYTES_MAX (8u << 20)

struct queued_packet {
	struct queued_packet *next;
	struct packet packet;
	unsigned from; /* index of the end that sent it */
	uint64_t time_ns;
	size_t bytes; /* memory that it takes */
	char data[];
};

/* All zeros: empty. Owns its packets. */
struct reorder_queue {
	struct queued_packet *first;
	struct queued_packet *last;
	unsigned count;
};

/*
 * Appends a copy. *total: memory of all queues together. Returns false if there is no room or no
 * memory.
 */
bool reorder_queue_append(struct reorder_queue *h, const struct packet *p, unsigned from,
			  uint64_t time_ns, size_t *total);

/*
 * Removes the first packet, which the caller frees with queued_packet_free(). Returns NULL if
 * empty.
 */
struct queued_packet *reorder_queue_pop(struct reorder_queue *h);
void queued_packet_free(struct queued_packet *p, size_t *total);

/* True if the first packet has waited long enough, or the queue is full. */
static inline bool reorder_queue_is_due(const struct reorder_queue *h, uint64_t now_ns)
{
	return h->count > REORDER_PACKETS_MAX || (h->first && now_ns > h->first->time_ns &&
						  now_ns - h->first->time_ns > REORDER_NS_MAX);
}

/* Frees all packets. */
void reorder_queue_release(struct reorder_queue *h, size_t *total);

#endif
