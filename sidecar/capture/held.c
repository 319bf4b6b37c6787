/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/held.h"

#include <stdlib.h>
#include <string.h>

bool held_append(struct held *h, const struct packet *p, unsigned from, uint64_t time_ns,
		 size_t *total)
{
	size_t bytes = sizeof(struct held_packet) + p->data.len;
	struct held_packet *copy;

	if (bytes > HELD_BYTES_MAX - *total)
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

struct held_packet *held_pop(struct held *h)
{
	struct held_packet *p = h->first;

	if (!p)
		return NULL;
	h->first = p->next;
	if (!h->first)
		h->last = NULL;
	h->count--;
	return p;
}

void held_free(struct held_packet *p, size_t *total)
{
	*total -= p->bytes;
	free(p);
}

void held_release(struct held *h, size_t *total)
{
	struct held_packet *p;

	while ((p = held_pop(h)))
		held_free(p, total);
}
