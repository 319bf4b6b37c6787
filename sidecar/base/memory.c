/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* glibc keeps the size of each chunk in front of it. */
#define CHUNK_HEADER sizeof(size_t)

/* When so much of the budget was evicted, or was freed since a flood, enough pages of the heap are
 * free to be worth a trim, which walks all free chunks. */
#define TRIM_SHARE 4u

void memory_budget_init(struct memory_budget *budget, size_t cap)
{
	*budget = (struct memory_budget){.cap = cap, .account_cap = cap / MEMORY_SHARES};
}

/* Evicted connections leave gaps between those that stay. Their pages are given back to the
 * kernel, so that the resident size follows `used` and not the largest extent of the heap. */
static __attribute__((noinline)) void trim(struct memory_budget *b)
{
	b->evicted_bytes = 0;
	b->peak = b->used;
	(void)malloc_trim(0); /* 0: there was nothing to give back */
}

static __attribute__((noinline)) bool make_room(struct memory_account *a, size_t bytes)
{
	struct memory_budget *b = a->budget;
	size_t before = b->used;

	if (!b->evict || b->is_evicting || bytes > b->cap)
		return false;
	b->is_evicting = true;
	while (b->used > b->cap - bytes && b->evict(b->ctx, a))
		;
	b->is_evicting = false;
	b->evicted_bytes += before - b->used;
	if (b->evicted_bytes >= b->cap / TRIM_SHARE)
		trim(b);
	return b->used <= b->cap - bytes;
}

static bool fits(struct memory_account *a, size_t bytes)
{
	struct memory_budget *b = a->budget;

	if (bytes <= b->account_cap && a->used <= b->account_cap - bytes &&
	    ((bytes <= b->cap && b->used <= b->cap - bytes) || make_room(a, bytes)))
		return true;
	b->refused++;
	return false;
}

static bool is_counted(const struct memory_account *a)
{
	return a && a->budget;
}

static void add(struct memory_account *a, size_t bytes)
{
	a->used += bytes;
	a->budget->used += bytes;
	if (a->budget->used > a->budget->peak)
		a->budget->peak = a->budget->used;
}

static void subtract(struct memory_account *a, size_t bytes)
{
	a->used -= bytes;
	a->budget->used -= bytes;
}

bool memory_charge(struct memory_account *a, size_t bytes)
{
	if (!is_counted(a))
		return true;
	if (!fits(a, bytes))
		return false;
	add(a, bytes);
	return true;
}

void memory_credit(struct memory_account *a, size_t bytes)
{
	if (is_counted(a))
		subtract(a, bytes);
}

static size_t chunk_size(void *ptr)
{
	return ptr ? malloc_usable_size(ptr) + CHUNK_HEADER : 0;
}

static void *counted(struct memory_account *a, void *ptr)
{
	if (ptr)
		add(a, chunk_size(ptr));
	return ptr;
}

void *memory_alloc(struct memory_account *a, size_t size)
{
	if (!is_counted(a))
		return malloc(size);
	return fits(a, size + CHUNK_HEADER) ? counted(a, malloc(size)) : NULL;
}

void *memory_calloc(struct memory_account *a, size_t count, size_t size)
{
	size_t bytes;

	if (!is_counted(a))
		return calloc(count, size);
	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return fits(a, bytes + CHUNK_HEADER) ? counted(a, calloc(1, bytes)) : NULL;
}

void *memory_realloc(struct memory_account *a, void *ptr, size_t size)
{
	size_t old = chunk_size(ptr);
	void *p;

	if (!is_counted(a))
		return realloc(ptr, size);
	/* Both exist while the contents are copied. */
	if (!fits(a, size + CHUNK_HEADER))
		return NULL;
	p = realloc(ptr, size);
	if (!p)
		return NULL;
	subtract(a, old);
	return counted(a, p);
}

void memory_free(struct memory_account *a, void *ptr)
{
	struct memory_budget *b;

	if (!is_counted(a)) {
		free(ptr);
		return;
	}
	b = a->budget; /* a may be a part of what is freed */
	subtract(a, chunk_size(ptr));
	free(ptr);
	if (b->peak - b->used > b->cap / TRIM_SHARE)
		trim(b);
}
