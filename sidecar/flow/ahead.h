/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that were seen before those in front of them, and that may never
 * become part of the stream: anybody can send them.
 *
 * They are kept apart, sorted, and are used only for what is known to have
 * passed and did not come in order. When there is no room, those that are
 * furthest ahead give way.
 */
#ifndef SIDELIGHT_FLOW_AHEAD_H
#define SIDELIGHT_FLOW_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "flow/stored_piece.h"

/* Memory for one direction: a receive window of a connection that opens its window early. */
#define AHEAD_MAX (256u << 10)

/* All zeros: empty. */
struct ahead {
	struct stored_piece *first;
	uint32_t bytes; /* what the pieces cost, at most AHEAD_MAX */
	uint32_t dropped; /* pieces for which there was no room; the owner may clear it */
};

/* memory: the account that pieces are charged to, the same for all calls; may be NULL. */
void ahead_release(struct ahead *a, struct memory_account *memory);

/* Keeps a copy. next: the bytes before it are of no use any more. */
void ahead_keep(struct ahead *a, struct memory_account *memory, uint32_t next,
		const struct segment_view *piece, uint64_t time_ns);

/* Where the first piece starts that starts before `to` and ends behind `next`. False: there is
 * none.
 */
bool ahead_first(struct ahead *a, struct memory_account *memory, uint32_t next, uint32_t to,
		 uint32_t *ret_from);
/* That piece, cut off at `to`: borrowed until the next call. */
void ahead_take(struct ahead *a, uint32_t to, enum dir dir, struct segment_view *ret_piece,
		uint64_t *ret_time_ns);

#endif
