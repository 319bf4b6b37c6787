/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where do frames begin, in a direction whose beginning or middle was not seen?
 *
 * One header of a frame proves little, a second one where the first says that it must be proves
 * it: by chance that is found once in 10^12 places. What a piece holds before the place that was
 * found stays unread. A header is recognised when a piece holds all of it.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_SYNC_H
#define SIDELIGHT_PROTO_HTTP2_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Zeroed, it knows nothing. */
struct http2_sync {
	uint32_t links; /* headers that follow one another so far; 0: no candidate */
	uint32_t ahead; /* bytes to come until the next one */
};

#define HTTP2_SYNC_NONE SIZE_MAX

/*
 * The next piece of the direction. Returns the offset in it at which a frame begins, or
 * HTTP2_SYNC_NONE. is_http2: that it is HTTP/2 at all need not be proved, so that a piece which is
 * one whole frame is enough.
 */
size_t http2_sync_find(struct http2_sync *s, struct span data, bool is_http2);

/* len bytes of the direction passed unseen. */
void http2_sync_skip(struct http2_sync *s, uint64_t len);

#endif
