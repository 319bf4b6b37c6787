/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingress segments that were seen before the bytes in front of them, and that the socket has not
 * acknowledged. It may never accept them: anyone can send such segments.
 *
 * They are stored apart from the reassembly queue (flow/bytes.h), sorted, and are used only for
 * sequence ranges that the socket is known to have received and that were not seen in order. When
 * there is no room, the segments that are furthest ahead are dropped.
 */
#ifndef SIDELIGHT_FLOW_AHEAD_H
#define SIDELIGHT_FLOW_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "flow/queued_segment.h"

/*
 * Memory limit of one direction: a receive window that has doubled twice from Linux's initial 64
 * KiB (half of tcp_rmem's default of 128 KiB).
 */
#define AHEAD_MAX (256u << 10)

/* All zeros: empty. */
struct ahead {
	struct queued_segment *first;
	uint32_t bytes; /* memory that the segments take, at most AHEAD_MAX */
	uint32_t dropped; /* segments for which there was no room; the owner may reset it */
};

/* memory: charged for all segments, the same in all calls; may be NULL. */
void ahead_release(struct ahead *a, struct memory_account *memory);

/* Stores a copy. next: the in-order offset; bytes before it are not needed any more. */
void ahead_keep(struct ahead *a, struct memory_account *memory, uint32_t next,
		const struct segment_view *segment, uint64_t time_ns);

/*
 * *ret_from is the start of the first segment that starts before `to` and ends behind `next`.
 * Returns false if there is none.
 */
bool ahead_first(struct ahead *a, struct memory_account *memory, uint32_t next, uint32_t to,
		 uint32_t *ret_from);
/* The segment that ahead_first() found, truncated at `to`. Borrowed until the next call. */
void ahead_take(struct ahead *a, uint32_t to, enum dir dir, struct segment_view *ret_segment,
		uint64_t *ret_time_ns);

#endif
