/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

uint64_t stream_seed;

static void endpoint_key(const struct endpoint *e, uint8_t *key)
{
	key[0] = e->family;
	memcpy(key + 1, e->addr, 16);
	key[17] = (uint8_t)(e->port >> 8);
	key[18] = (uint8_t)e->port;
}

unsigned stream_key(const struct packet *p, struct stream_key *ret)
{
	uint8_t src[19];
	uint8_t dst[19];
	unsigned from;

	endpoint_key(&p->src, src);
	endpoint_key(&p->dst, dst);
	from = memcmp(src, dst, sizeof(src)) > 0;
	memcpy(ret->bytes[from], src, sizeof(src));
	memcpy(ret->bytes[!from], dst, sizeof(dst));
	return from;
}

void stream_table_init(struct stream_table *t, size_t cap)
{
	*t = (struct stream_table){.cap = cap ? cap : 1};
	if (!stream_seed && getrandom(&stream_seed, sizeof(stream_seed), GRND_NONBLOCK) < 0)
		stream_seed = 1; /* early in boot: predictable, but correct */
}

void stream_table_release(struct stream_table *t)
{
	while (t->live)
		stream_remove(t, t->live);
	while (t->closed)
		stream_remove(t, t->closed);
}

struct stream *stream_find(const struct stream_table *t, const struct stream_key *key)
{
	struct stream *c;

	HASH_FIND(hh, t->hash, key, sizeof(*key), c);
	return c;
}

struct stream *stream_add(struct stream_table *t, const struct packet *p,
			  const struct stream_key *key, unsigned from)
{
	struct stream *c;

	if (t->count >= t->cap) {
		if (!t->closed)
			t->evicted++;
		stream_remove(t, t->closed ? t->closed : t->live);
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = *key;
	HASH_ADD(hh, t->hash, key, sizeof(c->key), c);
	if (c->is_refused) {
		free(c);
		return NULL;
	}
	c->end[from] = p->src;
	c->end[!from] = p->dst;
	c->id = ++t->last_id;
	DL_APPEND(t->live, c);
	t->count++;
	return c;
}

void stream_touch(struct stream_table *t, struct stream *c)
{
	if (t->live->prev == c) /* utlist: the head's prev is the tail */
		return;
	DL_DELETE(t->live, c);
	DL_APPEND(t->live, c);
}

void stream_close(struct stream_table *t, struct stream *c)
{
	c->is_closed = true;
	DL_DELETE(t->live, c);
	DL_APPEND(t->closed, c);
}

bool stream_add_token(struct stream_table *t, struct stream *c, uint32_t token)
{
	if (c->has_token)
		return true;
	c->token = token;
	HASH_ADD(by_token, t->first_subflows, token, sizeof(c->token), c);
	c->has_token = !c->is_refused;
	c->is_refused = false;
	return c->has_token;
}

void stream_remove_token(struct stream_table *t, struct stream *c)
{
	if (!c->has_token)
		return;
	assert(t->first_subflows);
	HASH_DELETE(by_token, t->first_subflows, c);
	c->has_token = false;
}

struct stream *stream_find_token(const struct stream_table *t, uint32_t token)
{
	struct stream *c;

	HASH_FIND(by_token, t->first_subflows, &token, sizeof(token), c);
	return c;
}

bool stream_enqueue(struct stream_table *t, struct stream *c, const struct packet *p, unsigned from,
		    uint64_t time_ns)
{
	if (!reorder_queue_append(&c->queue, p, from, time_ns, &t->queued_bytes))
		return false;
	if (c->queue.count == 1)
		DL_APPEND2(t->queued, c, queued_prev, queued_next);
	return true;
}

struct queued_packet *stream_dequeue(struct stream_table *t, struct stream *c)
{
	struct queued_packet *p = reorder_queue_pop(&c->queue);

	if (!p)
		return NULL;
	/* The next packet was queued later: the entry moves to the end. */
	DL_DELETE2(t->queued, c, queued_prev, queued_next);
	if (c->queue.first)
		DL_APPEND2(t->queued, c, queued_prev, queued_next);
	return p;
}

void stream_remove(struct stream_table *t, struct stream *c)
{
	assert(t->hash);
	HASH_DELETE(hh, t->hash, c);
	stream_remove_token(t, c);
	if (c->is_closed)
		DL_DELETE(t->closed, c);
	else
		DL_DELETE(t->live, c);
	if (c->queue.first)
		DL_DELETE2(t->queued, c, queued_prev, queued_next);
	reorder_queue_release(&c->queue, &t->queued_bytes);
	t->count--;
	free(c);
}
