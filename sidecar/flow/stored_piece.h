/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a piece of one direction that cannot go out yet, in a list sorted by where it starts.
 */
#ifndef SIDELIGHT_FLOW_STORED_PIECE_H
#define SIDELIGHT_FLOW_STORED_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"

struct stored_piece {
	struct stored_piece *next;
	uint64_t time_ns;
	uint32_t seq; /* of data[0] */
	uint32_t len;
	uint32_t from_seq;
	uint32_t to_seq;
	uint32_t tid;
	bool is_fin;
	bool is_frame;
	bool is_taken; /* for the owner's use */
	char data[];
};

/* a - b on the circle of sequence numbers (RFC 9293 section 3.4). */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* Bytes of memory of a piece with len bytes of data. */
static inline size_t stored_piece_size(size_t len)
{
	return sizeof(struct stored_piece) + len;
}

/*
 * Puts a copy of `from` into the list, behind those that start where it does, for the owner to
 * free with memory_free(). memory: charged; may be NULL. NULL: there is no memory.
 */
struct stored_piece *stored_piece_add(struct stored_piece **list, struct memory_account *memory,
				      const struct segment_view *from, uint64_t time_ns);

/* The piece as it was handed in; borrowed from p. Of its sender's positions nothing is kept. */
void stored_piece_view(const struct stored_piece *p, enum dir dir, struct segment_view *ret);

#endif
