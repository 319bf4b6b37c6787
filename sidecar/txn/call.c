/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/call.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http2_head.h"
#include "txn/transaction.h"

/* The maximum number of unused calls in the pool. */
#define FREE_MAX 256u

#define SIZE_MIN 4u

/*
 * Bytes that are cleared in a new call: few enough for a few stores, since `rep stos` is several
 * times slower.
 */
#define CLEARED (sizeof(struct call) - offsetof(struct call, first_byte_ns))
_Static_assert(CLEARED <= 80, "five stores");

static struct call **slot_of(const struct calls *calls, uint32_t stream)
{
	/* Multiplicative hashing: strides that a peer chooses do not cause long chains. */
	return &calls->slots[(stream * 0x9e3779b1u) >> 16 & (calls->size - 1)];
}

static struct call *pool_take(struct call_pool *pool)
{
	struct call *c = pool->free;

	if (c) {
		pool->free = c->next;
		pool->free_count--;
	} else {
		c = malloc(sizeof(*c));
	}
	if (!c)
		return NULL;
	pool->count++;
	memset((char *)c + sizeof(*c) - CLEARED, 0, CLEARED);
	return c;
}

static void pool_give(struct call_pool *pool, struct call *c)
{
	pool->count--;
	if (pool->free_count >= FREE_MAX) {
		free(c);
		return;
	}
	c->next = pool->free;
	pool->free = c;
	pool->free_count++;
}

void call_pool_release(struct call_pool *pool)
{
	while (pool->free) {
		struct call *c = pool->free;

		pool->free = c->next;
		free(c);
	}
	pool->free_count = 0;
}

/* Doubles the slots. Returns false if there is no memory. */
static bool grow(struct calls *calls)
{
	struct calls old = *calls;
	uint32_t size = old.size ? old.size * 2 : SIZE_MIN;
	size_t bytes = (size - old.size) * sizeof(struct call);
	struct call **slots;

	if (!memory_charge(calls->memory, bytes))
		return false;
	slots = memory_calloc(calls->memory, size, sizeof(void *));
	if (!slots) {
		memory_credit(calls->memory, bytes);
		return false;
	}
	calls->size = size;
	calls->slots = slots;
	for (struct call *c = old.oldest; c; c = c->newer) {
		struct call **slot = slot_of(calls, c->stream);

		c->next = *slot;
		*slot = c;
	}
	memory_free(calls->memory, old.slots);
	return true;
}

struct call *calls_add(struct calls *calls, struct call_pool *pool, uint32_t stream)
{
	struct call **slot;
	struct call *c;

	if (calls->count == calls->size && !grow(calls))
		return NULL;
	c = pool_take(pool);
	if (!c)
		return NULL;
	slot = slot_of(calls, stream);
	c->stream = stream;
	c->headers = NULL;
	c->next = *slot;
	*slot = c;
	c->newer = NULL;
	c->older = calls->newest;
	*(c->older ? &c->older->newer : &calls->oldest) = c;
	calls->newest = calls->last = c;
	calls->count++;
	return c;
}

struct call *calls_find_other(struct calls *calls, uint32_t stream)
{
	struct call *c = calls->size ? *slot_of(calls, stream) : NULL;

	while (c && c->stream != stream)
		c = c->next;
	if (c)
		calls->last = c;
	return c;
}

/* The larger of two is kept. */
static inline void give_wire(struct calls *calls, char *wire, uint16_t size)
{
	char *rest = wire;

	if (size > calls->spare_size) {
		rest = calls->spare;
		calls->spare = wire;
		calls->spare_size = size;
	}
	if (rest)
		memory_free(calls->memory, rest);
}

void calls_remove(struct calls *calls, struct call_pool *pool, struct call *c)
{
	struct call **at = slot_of(calls, c->stream);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	*(c->newer ? &c->newer->older : &calls->newest) = c->older;
	*(c->older ? &c->older->newer : &calls->oldest) = c->newer;
	if (calls->last == c)
		calls->last = NULL;
	calls->count--;
	if (c->wire)
		give_wire(calls, c->wire, c->wire_size);
	if (__builtin_expect(c->headers != NULL, 0))
		memory_free(calls->memory, c->headers);
	pool_give(pool, c);
}

/* Paths of one client differ by a few bytes: with this rounding, most of them fit. */
#define WIRE_STEP 64u

_Static_assert(HTTP2_METHOD_MAX + TXN_TARGET_MAX + WIRE_STEP <= UINT16_MAX, "sizes have 16 bits");

void calls_keep(struct calls *calls, struct call *c, struct span method, struct span target)
{
	if (target.len > TXN_TARGET_MAX)
		target.len = TXN_TARGET_MAX;
	if (method.len + target.len < calls->spare_size) {
		c->wire = calls->spare;
		c->wire_size = calls->spare_size;
		calls->spare = NULL;
		calls->spare_size = 0;
	} else {
		c->wire_size = (uint16_t)((method.len + target.len + WIRE_STEP) & ~(WIRE_STEP - 1));
		c->wire = memory_alloc(calls->memory, c->wire_size);
	}
	if (!c->wire)
		return;
	if (method.len)
		memcpy(c->wire, method.ptr, method.len);
	if (target.len)
		memcpy(c->wire + method.len, target.ptr, target.len);
	c->wire_method_len = (uint16_t)method.len;
	c->wire_target_len = (uint16_t)target.len;
}

void calls_release(struct calls *calls, struct call_pool *pool)
{
	while (calls->oldest)
		calls_remove(calls, pool, calls->oldest);
	memory_free(calls->memory, calls->slots);
	if (calls->spare)
		memory_free(calls->memory, calls->spare);
	memory_credit(calls->memory, calls->size * sizeof(struct call));
	*calls = (struct calls){.memory = calls->memory};
}
