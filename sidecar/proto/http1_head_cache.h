/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache of parsed heads. A client that keeps a connection alive repeats its requests byte by
 * byte, and a server repeats its responses until the clock of the Date field ticks. Comparing a
 * head with a cached one costs a sixth of parsing it.
 *
 * The cache contains the results of http1_head_parse(), a copy of the bytes of each head, and the
 * attributes that the owner derived from it (message.h). Each thread has one cache, of fixed size.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_HEAD_CACHE_H
#define SIDELIGHT_PROTO_HTTP1_HEAD_CACHE_H

#include <stdint.h>

#include "proto/http1_head.h"

/*
 * Returns the parsed head at the beginning of data, from the cache or after parsing it into the
 * cache; NULL if it is incomplete, malformed, or too long for the cache: then http1_head_parse()
 * decides. Spans of the head point to a copy of its bytes and are valid until the next call. The
 * caller sets m.time_ns.
 */
struct http1_head *http1_head_cache_parse(struct span data, bool is_response);

/*
 * The same, but only looks up: NULL if the head is not cached. *slot holds the cache slot of the
 * last head that was found for this direction; it is tried first. Initially 0.
 */
struct http1_head *http1_head_cache_find(struct span data, bool is_response, uint8_t *slot);

#endif
