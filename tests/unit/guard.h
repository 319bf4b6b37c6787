/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that ends at a page nobody may touch: a parser that reads one byte too far, dies, with
 * or without a sanitizer.
 *
 * The tests look at what a parser does; copies of its input are made with guard_put(), valid
 * until the next call with the same guard.
 */
#ifndef SIDELIGHT_TESTS_UNIT_GUARD_H
#define SIDELIGHT_TESTS_UNIT_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/span.h"

/* Zeroed, it is ready. It grows as needed, and goes with the process. */
struct guard {
	char *base;
	size_t size; /* of what may be touched */
};

/* n bytes, the last of which is the last one that may be touched. */
static inline char *guard_room(struct guard *g, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!g->base || n > g->size) {
		if (g->base)
			(void)munmap(g->base, g->size + page); /* ours, mapped below */
		g->size = (n / page + 1) * page;
		g->base = mmap(NULL, g->size + page, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (g->base == MAP_FAILED || mprotect(g->base + g->size, page, PROT_NONE) != 0)
			abort();
	}
	return g->base + g->size - n;
}

/* A copy of s, likewise. */
static inline struct span guard_put(struct guard *g, struct span s)
{
	char *at = guard_room(g, s.len);

	if (s.len > 0)
		memcpy(at, s.ptr, s.len);
	return (struct span){at, s.len};
}

#endif
