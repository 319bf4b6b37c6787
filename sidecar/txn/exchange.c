/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/exchange.h"

#include <string.h>

#include "txn/transaction.h"

static void free_ring(struct exchanges *q)
{
	if (q->ring != &q->one)
		memory_free(q->memory, q->ring);
}

struct exchange *exchanges_push(struct exchanges *q, bool *ret_is_full)
{
	struct exchange *e;

	*ret_is_full = false;
	if (q->count == q->alloc) {
		unsigned alloc = q->alloc ? q->alloc * 2u : 1u;
		struct exchange *ring;

		if (alloc > EXCHANGES_MAX) {
			*ret_is_full = true;
			return NULL;
		}
		ring = alloc == 1 ? &q->one : memory_calloc(q->memory, alloc, sizeof(*ring));
		if (!ring)
			return NULL;
		for (unsigned i = 0; i < q->count; i++)
			ring[i] = *exchanges_at(q, i);
		free_ring(q);
		q->ring = ring;
		q->alloc = (uint16_t)alloc;
		q->first = 0;
	}
	e = exchanges_at(q, q->count++);
	*e = (struct exchange){0};
	return e;
}

void exchanges_pop(struct exchanges *q)
{
	struct exchange *e = exchanges_oldest(q);

	if (e->wire)
		memory_free(q->memory, e->wire);
	q->first = (uint16_t)((q->first + 1u) & (q->alloc - 1u));
	q->count--;
}

void exchanges_release(struct exchanges *q)
{
	while (q->count)
		exchanges_pop(q);
	free_ring(q);
	*q = (struct exchanges){.memory = q->memory};
}

void exchanges_keep(struct exchanges *q, struct exchange *e, const struct message *m)
{
	size_t method = m->method.len < UINT8_MAX ? m->method.len : UINT8_MAX;
	size_t target = m->target.len < TXN_TARGET_MAX ? m->target.len : TXN_TARGET_MAX;

	e->wire = memory_alloc(q->memory, method + target + 1);
	if (!e->wire)
		return;
	memcpy(e->wire, m->method.ptr, method);
	if (target)
		memcpy(e->wire + method, m->target.ptr, target);
	e->wire_method_len = (uint8_t)method;
	e->wire_target_len = (uint16_t)target;
}
