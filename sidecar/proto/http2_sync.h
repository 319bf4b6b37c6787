/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the start of a frame in a direction whose beginning or middle was not seen
 * (resynchronisation).
 *
 * A single plausible frame header proves little. A second one at the position that the first
 * implies is found by chance at one position in 10^12. The bytes of a segment before that position
 * are not parsed. A header is recognised only if it is complete in one segment.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_SYNC_H
#define SIDELIGHT_PROTO_HTTP2_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* All zeros: no candidate. */
struct http2_sync {
	uint32_t headers; /* consecutive headers so far; 0: no candidate */
	uint32_t ahead; /* bytes from here to the next header of the candidate */
};

#define HTTP2_SYNC_NONE SIZE_MAX

/*
 * Searches the next segment of the direction. Returns the offset at which a frame begins, or
 * HTTP2_SYNC_NONE. is_http2: the connection is known to be HTTP/2, so a segment that is exactly one
 * frame is sufficient.
 */
size_t http2_sync_find(struct http2_sync *s, struct span data, bool is_http2);

/* len bytes of the direction were skipped or lost. */
void http2_sync_skip(struct http2_sync *s, uint64_t len);

#endif
