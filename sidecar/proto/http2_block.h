/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A header block that did not come in one piece: over several frames (RFC 9113 section 4.3), or
 * over several segments.
 *
 * Invariants: len <= HTTP2_BLOCK_MAX; once is_lost, data is not complete and never will be.
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
	uint64_t time_ns; /* when the first byte of its first frame was seen */
	uint32_t stream;
	bool is_end; /* END_STREAM */
	bool is_push;
	bool is_lost;
	uint8_t why; /* is_lost: enum parse_fail */
	uint32_t len;
	uint32_t alloc;
	uint32_t frame_at; /* where the payload of the frame at hand starts */
	char *data;
	struct memory_account *memory; /* that it is charged to; borrowed; may be NULL */
};

/* Its first frame begins. NULL: no memory. */
struct http2_block *http2_block_new(struct memory_account *memory, const struct http2_frame *f,
				    uint64_t time_ns);
/* NULL is fine. */
void http2_block_free(struct http2_block *b);

/* A frame of it begins. */
void http2_block_frame(struct http2_block *b);
void http2_block_add(struct http2_block *b, struct span payload);
void http2_block_lose(struct http2_block *b, enum parse_fail why);
/* That frame has ended: what is no part of the block is taken off. False: the frame is nonsense. */
bool http2_block_end_frame(struct http2_block *b, const struct http2_frame *f);

/* As http2_block_trim(), of any frame. */
bool http2_block_trim_any(const struct http2_frame *f, struct span *payload);

/* Takes padding, priority and promised stream off a payload; false if that cannot be. */
static inline bool http2_block_trim(const struct http2_frame *f, struct span *payload)
{
	/* What nearly all are has none of it. */
	if (f->type == HTTP2_HEADERS && !(f->flags & (HTTP2_FLAG_PADDED | HTTP2_FLAG_PRIORITY)))
		return true;
	return http2_block_trim_any(f, payload);
}

#endif
