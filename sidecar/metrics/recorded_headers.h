/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of recorded requests, while somebody wants some. They take memory of the
 * connections' budget, at most the share of one account, and never evict a connection for it: the
 * fields of the oldest requests give way. Those of errors and slow requests, which are kept longer,
 * have at most half of that share.
 */
#ifndef SIDELIGHT_METRICS_RECORDED_HEADERS_H
#define SIDELIGHT_METRICS_RECORDED_HEADERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "txn/headers.h"

struct recorded_headers_stats {
	size_t bytes; /* now */
	uint64_t dropped; /* requests whose fields gave way, or had no room */
	uint64_t cut; /* requests of which fields are missing, or values are cut */
};

struct recorded_headers;

/* For places [0, recent), which are written in this order, again and again, and further ones behind
 * them. Everything is borrowed. NULL: no memory. */
struct recorded_headers *recorded_headers_new(size_t recent, size_t places,
					      const struct header_wishes *wishes,
					      struct memory_budget *budget,
					      struct recorded_headers_stats *stats);
/* Accepts NULL. */
void recorded_headers_free(struct recorded_headers *r);

/* What the request in this place of the recent ones has. h: NULL: nothing. */
void recorded_headers_set(struct recorded_headers *r, size_t place, const struct headers *h);
/* The request of a recent place goes to one behind the recent ones. */
void recorded_headers_move(struct recorded_headers *r, size_t from, size_t to);
/* Fields that nobody wants any more are forgotten. */
void recorded_headers_retain(struct recorded_headers *r);
/* Borrowed; NULL: none. */
const struct headers *recorded_headers_get(const struct recorded_headers *r, size_t place);

#endif
