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

void exchanges_read(struct exchanges *q, const struct last_read *read)
{
	for (unsigned i = 0; i < q->count; i++) {
		struct exchange *e = exchanges_at(q, i);

		if (!e->read_ns && e->request_end_ns)
			e->read_ns = last_read_ns(read, e->request_end_seq);
	}
}

void exchanges_pop(struct exchanges *q)
{
	struct exchange *e = exchanges_oldest(q);

	if (e->wire && e->wire == q->buffer)
		q->buffer_room = q->buffer_size;
	else if (e->wire)
		memory_free(q->memory, e->wire);
	if (__builtin_expect(e->headers != NULL, 0))
		memory_free(q->memory, e->headers);
	q->first = (uint16_t)((q->first + 1u) & (q->alloc - 1u));
	q->count--;
}

void exchanges_release(struct exchanges *q)
{
	while (q->count)
		exchanges_pop(q);
	free_ring(q);
	if (q->buffer)
		memory_free(q->memory, q->buffer);
	*q = (struct exchanges){.memory = q->memory};
}

/* Targets of one client differ by a few bytes: with this rounding, most of them fit. */
#define BUFFER_STEP 64u

/* NULL: no memory. */
static __attribute__((noinline)) char *allocate_wire(struct exchanges *q, size_t size)
{
	if (size + BUFFER_STEP > TXN_TARGET_MAX || q->buffer_room != q->buffer_size)
		return memory_alloc(q->memory, size);
	size = (size + BUFFER_STEP) & ~(size_t)(BUFFER_STEP - 1);
	if (q->buffer)
		memory_free(q->memory, q->buffer);
	q->buffer = memory_alloc(q->memory, size);
	q->buffer_size = (uint16_t)(q->buffer ? size : 0);
	q->buffer_room = q->buffer_size;
	return q->buffer;
}

void exchanges_keep_wire(struct exchanges *q, struct exchange *e, const struct message *m)
{
	size_t method = m->method.len < UINT8_MAX ? m->method.len : UINT8_MAX;
	size_t target = m->target.len < TXN_TARGET_MAX ? m->target.len : TXN_TARGET_MAX;

	if (method_is_known(e->known_method))
		method = 0;
	if (method + target < q->buffer_room)
		e->wire = q->buffer;
	else
		e->wire = allocate_wire(q, method + target + 1);
	if (!e->wire)
		return;
	if (e->wire == q->buffer)
		q->buffer_room = 0;
	copy_short(e->wire, m->method.ptr, method);
	copy_short(e->wire + method, m->target.ptr, target);
	e->wire_method_len = (uint8_t)method;
	e->wire_target_len = (uint16_t)target;
}

char *exchanges_take_wire(struct exchanges *q, struct exchange *e)
{
	char *wire = e->wire;

	e->wire = NULL;
	if (wire && wire == q->buffer) {
		q->buffer = NULL;
		q->buffer_size = q->buffer_room = 0;
	}
	return wire;
}
