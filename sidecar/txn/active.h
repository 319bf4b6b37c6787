/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many requests are open, by container and method: what a gauge shows.
 *
 * A request that begins finds its cell once, counts itself there and keeps
 * the pointer; when it ends it counts itself out. Nobody is called meanwhile:
 * who shows the numbers reads them when they are wanted.
 *
 * Cells that nobody uses are given to others when all are taken. So, without
 * a request of one's own in it, a pointer to a cell is only a guess, to be
 * checked with active_is().
 */
#ifndef SIDELIGHT_TXN_ACTIVE_H
#define SIDELIGHT_TXN_ACTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/event.h"

struct active {
	enum role role;
	uint64_t container;
	const char *known_method; /* interned, of HTTP or of gRPC; NULL: never used */
	uint64_t count;
	bool is_tls;
	bool is_rpc; /* set by who found it, for a method of gRPC */
};

/* Eight known methods of eight containers, in both roles, a few of them between two restarts. */
#define ACTIVE_CELLS 256

/* Zeroed, it is empty. */
struct actives {
	/* The last one is for those who find all others in use: method METHOD_OTHER, container 0.
	 */
	struct active cell[ACTIVE_CELLS + 1];
};

static inline bool active_is(const struct active *a, enum role role, uint64_t container,
			     const char *known_method, bool is_tls)
{
	return a->container == container && a->known_method == known_method && a->role == role &&
	       a->is_tls == is_tls;
}

/* Never NULL. */
struct active *actives_find(struct actives *all, enum role role, uint64_t container,
			    const char *known_method, bool is_tls);

#endif
