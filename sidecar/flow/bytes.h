/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of one connection, put back in order.
 *
 * Pieces of the direction go in as they were seen: late, twice, overlapping.
 * What comes out is every byte position once, in order, each with a view of its
 * segment (segment_view.h), as one of
 *   - data:  the bytes;
 *   - skip:  bytes that passed and were not copied (body bytes);
 *   - lost:  bytes that nobody will ever hand in; a parser must resynchronise;
 *   - fin:   the direction has ended.
 *
 * Invariants, true between any two calls:
 *   - everything below `next` went out;
 *   - the list of early pieces is sorted, none starts at or below `next`, and
 *     it takes at most BYTES_EARLY_MAX bytes of memory;
 *   - after fin, nothing goes out.
 */
#ifndef SIDELIGHT_FLOW_BYTES_H
#define SIDELIGHT_FLOW_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "capture/event.h"
#include "flow/ahead.h"
#include "flow/segment_view.h"
#include "flow/stored_piece.h"

/* Memory for what one direction has waiting for a hole: the copied bytes of one
 * receive window of a connection that opens its window early. */
#define BYTES_EARLY_MAX (256u << 10)

struct bytes {
	uint32_t next; /* sequence number of the next byte to go out */
	bool is_started; /* next is valid */
	bool is_finished;
	uint64_t last_ns; /* when the newest byte that went out was seen */
	uint32_t early_bytes;
	struct stored_piece *early;
	struct memory_account *memory; /* that early pieces are charged to; borrowed; may be NULL */
	struct ahead ahead; /* not part of the stream yet, and maybe never */
};

/* dir is view->dir. time_ns: when the newest byte up to here was seen. */
struct bytes_sink {
	void (*data)(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns);
	void (*skip)(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns);
	void (*lost)(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		     uint64_t time_ns);
	void (*fin)(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns);
};

/* A zeroed struct bytes is ready for use. */
void bytes_release(struct bytes *b);

/* The direction begins at seq; no news if it has begun. What waits for that goes out. */
void bytes_start(struct bytes *b, enum dir dir, uint32_t seq, const struct bytes_sink *sink,
		 void *ctx);

void bytes_push_any(struct bytes *b, const struct segment_view *piece, uint64_t time_ns,
		    const struct bytes_sink *sink, void *ctx);

/* What nearly all pieces are: the next bytes, all of them copied, nothing waiting. */
static inline bool bytes_is_plain(const struct bytes *b, const struct segment_view *piece)
{
	return b->is_started && !b->is_finished && !b->early && piece->seq == b->next &&
	       piece->from_seq == piece->seq && !piece->is_fin && !piece->is_ahead &&
	       piece->data.len && piece->to_seq == piece->seq + (uint32_t)piece->data.len;
}

/* Such a piece. */
static inline void bytes_push_plain(struct bytes *b, const struct segment_view *piece,
				    uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	if (time_ns > b->last_ns)
		b->last_ns = time_ns;
	b->next = piece->to_seq;
	sink->data(ctx, piece->dir, piece, b->last_ns);
}

/* Hands one piece in; the sink is called zero or more times before return. */
static inline void bytes_push(struct bytes *b, const struct segment_view *piece, uint64_t time_ns,
			      const struct bytes_sink *sink, void *ctx)
{
	if (bytes_is_plain(b, piece))
		bytes_push_plain(b, piece, time_ns, sink, ctx);
	else
		bytes_push_any(b, piece, time_ns, sink, ctx);
}

/* Holes will not be filled any more: what waits behind them goes out. */
void bytes_flush(struct bytes *b, enum dir dir, const struct bytes_sink *sink, void *ctx);

/*
 * Holes below data->peer_seq will not be filled any more, all of them if !data->has_peer: data is a
 * segment of the other direction.
 */
void bytes_give_up(struct bytes *b, const struct segment_view *data, const struct bytes_sink *sink,
		   void *ctx);

/*
 * The direction is known to have come to to_seq, and no further piece will tell. Pieces told, or
 * were to tell, of what is below told_seq.
 */
void bytes_reach(struct bytes *b, enum dir dir, uint32_t told_seq, uint32_t to_seq,
		 uint64_t time_ns, const struct bytes_sink *sink, void *ctx);

#endif
