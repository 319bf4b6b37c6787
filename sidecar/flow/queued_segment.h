/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a segment that cannot go out yet, in a list that is sorted by from_seq. */
#ifndef SIDELIGHT_FLOW_QUEUED_SEGMENT_H
#define SIDELIGHT_FLOW_QUEUED_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"

struct queued_segment {
	struct queued_segment *next;
	uint64_t time_ns;
	uint32_t seq; /* of data[0] */
	uint32_t len;
	uint32_t from_seq;
	uint32_t to_seq;
	uint32_t tid;
	uint32_t tgid;
	bool is_fin;
	bool is_frame;
	bool is_taken; /* ahead.c only */
	char data[];
};

/* a - b modulo 2^32, as a signed distance (RFC 9293 section 3.4). */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* The memory of a queued segment with len bytes of data. */
static inline size_t queued_segment_size(size_t len)
{
	return sizeof(struct queued_segment) + len;
}

/*
 * Inserts a copy of `from` behind the segments that start at the same position. memory is charged;
 * may be NULL. The owner frees the copy with memory_free(). Returns NULL if there is no memory.
 */
struct queued_segment *queued_segment_add(struct queued_segment **list,
					  struct memory_account *memory,
					  const struct segment_view *from, uint64_t time_ns);

/* The view of a queued segment, without peer_seq; borrowed from p. */
void queued_segment_view(const struct queued_segment *p, enum dir dir, struct segment_view *ret);

#endif
