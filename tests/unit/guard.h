/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that ends at a page nobody may touch: a parser that reads one byte too far, dies, with
 * or without a sanitizer.
 *
 * The tests look at what a parser does; copies of its input are made with guard_put(), valid
 * until the next guard_put() on the same guard.
 */
#ifndef SIDELIGHT_TESTS_UNIT_GUARD_H
#define SIDELIGHT_TESTS_UNIT_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/span.h"

struct guard {
	char *base;
	size_t size; /* of what may be touched */
};

/* Room for up to `size` bytes. */
static inline struct guard guard_new(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guard g = {.size = (size + page - 1) / page * page};

	g.base = mmap(NULL, g.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (g.base == MAP_FAILED || mprotect(g.base + g.size, page, PROT_NONE) != 0)
		abort();
	return g;
}

static inline void guard_free(struct guard *g)
{
	(void)munmap(g->base, g->size + (size_t)sysconf(_SC_PAGESIZE)); /* ours, mapped above */
}

/* A copy of s whose last byte is the last one that may be touched. */
static inline struct span guard_put(struct guard *g, struct span s)
{
	char *at = g->base + g->size - s.len;

	if (s.len > g->size)
		abort();
	if (s.len > 0)
		memcpy(at, s.ptr, s.len);
	return (struct span){at, s.len};
}

#endif
