/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/exchange.h"

#include <stdlib.h>

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
		ring = calloc(alloc, sizeof(*ring));
		if (!ring)
			return NULL;
		for (unsigned i = 0; i < q->count; i++)
			ring[i] = *exchanges_at(q, i);
		free(q->ring);
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
		free(e->wire);
	q->first = (uint16_t)((q->first + 1u) & (q->alloc - 1u));
	q->count--;
}

void exchanges_release(struct exchanges *q)
{
	while (q->count)
		exchanges_pop(q);
	free(q->ring);
	*q = (struct exchanges){0};
}
