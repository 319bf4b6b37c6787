/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the open requests by container and method, for a gauge.
 *
 * A new request finds its cell once, increments it and stores the pointer; at its end it decrements
 * the cell. Metrics read the cells on scrape.
 *
 * When all cells are taken, unused ones are given to other keys. Without an open request in it, a
 * pointer to a cell is therefore only a guess, to be checked with active_is().
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
	const char *known_method; /* interned, of HTTP or gRPC; NULL: never used */
	uint64_t count;
	bool is_tls;
	bool is_rpc; /* set by the caller of actives_find() for a gRPC method */
};

/* Eight methods of eight containers in both roles, and some containers restarted. */
#define ACTIVE_CELLS 256

/* All zeros: empty. */
struct actives {
	/*
	 * The last cell collects the requests that find no other one: method METHOD_OTHER,
	 * container 0.
	 */
	struct active cell[ACTIVE_CELLS + 1];
};

static inline bool active_is(const struct active *a, enum role role, uint64_t container,
			     const char *known_method, bool is_tls)
{
	return a->container == container && a->known_method == known_method && a->role == role &&
	       a->is_tls == is_tls;
}

/* Never returns NULL. */
struct active *actives_find(struct actives *all, enum role role, uint64_t container,
			    const char *known_method, bool is_tls);

#endif
