/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A header block that spans several frames (RFC 9113 section 4.3) or several segments.
 *
 * Invariants: len <= HTTP2_BLOCK_MAX; once is_lost, data is incomplete and freed.
 */
#ifndef SIDELIGHT_PROTO_HTTP2_BLOCK_H
#define SIDELIGHT_PROTO_HTTP2_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "proto/http2_frame.h"
#include "proto/message.h"

struct http2_block {
	uint64_t time_ns; /* time of the first byte of its first frame */
	uint32_t stream;
	bool is_end; /* END_STREAM */
	bool is_push;
	bool is_lost;
	uint16_t weight; /* of its priority, from 1 to 256; 0: it has none */
	uint8_t why; /* is_lost: enum parse_fail */
	uint32_t len;
	uint32_t alloc;
	uint32_t frame_at; /* offset in data of the current frame's payload */
	char *data;
	struct memory_account *memory; /* charged for both allocations; borrowed; may be NULL */
};

/* A new block, from the header of its first frame. Returns NULL if there is no memory. */
struct http2_block *http2_block_new(struct memory_account *memory, const struct http2_frame *f,
				    uint64_t time_ns);
/* Accepts NULL. */
void http2_block_free(struct http2_block *b);

/* The next frame of the block begins. */
void http2_block_frame(struct http2_block *b);
void http2_block_add(struct http2_block *b, struct span payload);
void http2_block_lose(struct http2_block *b, enum parse_fail why);
/*
 * The current frame has ended: removes padding, priority and promised stream from its payload.
 * Returns false if the frame is malformed.
 */
bool http2_block_end_frame(struct http2_block *b, const struct http2_frame *f);

/* The general case of http2_block_trim(). */
bool http2_block_trim_any(const struct http2_frame *f, struct span *payload, uint16_t *ret_weight);

/*
 * Removes padding, priority and promised stream from a payload. Returns false if it is too short.
 * *ret_weight is written only if the frame has a priority.
 */
static inline bool http2_block_trim(const struct http2_frame *f, struct span *payload,
				    uint16_t *ret_weight)
{
	/* Nearly all HEADERS frames have neither padding nor priority. */
	if (f->type == HTTP2_HEADERS && !(f->flags & (HTTP2_FLAG_PADDED | HTTP2_FLAG_PRIORITY)))
		return true;
	return http2_block_trim_any(f, payload, ret_weight);
}

#endif
