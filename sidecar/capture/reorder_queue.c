/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/reorder_queue.h"

#include <stdlib.h>
#include <string.h>

bool reorder_queue_append(struct reorder_queue *h, const struct packet *p, unsigned from,
			  uint64_t time_ns, size_t *total)
{
	size_t bytes = sizeof(struct queued_packet) + p->data.len;
	struct queued_packet *copy;

	if (bytes > REORDER_BYTES_MAX - *total)
		return false;
	copy = malloc(bytes);
	if (!copy)
		return false;
	copy->next = NULL;
	copy->packet = *p;
	copy->from = from;
	copy->time_ns = time_ns;
	copy->bytes = bytes;
	if (p->data.len)
		memcpy(copy->data, p->data.ptr, p->data.len);
	copy->packet.data.ptr = copy->data;
	*(h->last ? &h->last->next : &h->first) = copy;
	h->last = copy;
	h->count++;
	*total += bytes;
	return true;
}

struct queued_packet *reorder_queue_pop(struct reorder_queue *h)
{
	struct queued_packet *p = h->first;

	if (!p)
		return NULL;
	h->first = p->next;
	if (!h->first)
		h->last = NULL;
	h->count--;
	return p;
}

void queued_packet_free(struct queued_packet *p, size_t *total)
{
	*total -= p->bytes;
	free(p);
}

void reorder_queue_release(struct reorder_queue *h, size_t *total)
{
	struct queued_packet *p;

	while ((p = reorder_queue_pop(h)))
		queued_packet_free(p, total);
}
