/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembles one direction of one connection.
 *
 * Segments of the direction go in as they were seen: out of order, retransmitted, overlapping.
 * Every byte position comes out once, in sequence order, with a view of its segment
 * (segment_view.h), as
 *   - data:  the bytes;
 *   - skip:  bytes that passed and were not copied;
 *   - lost:  bytes that will never come; a parser must resynchronise;
 *   - fin:   the end of the direction.
 *
 * Invariants, true between any two calls:
 *   - every position below `next` has gone out;
 *   - the reassembly queue is sorted, none of its segments starts at or below `next`, and it
 *     takes at most BYTES_QUEUE_MAX bytes of memory;
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
#include "flow/queued_segment.h"

/*
 * Memory limit of the reassembly queue of one direction: the copied bytes of one receive window
 * that has doubled twice from Linux's initial 64 KiB (half of tcp_rmem's default of 128 KiB).
 */
#define BYTES_QUEUE_MAX (256u << 10)

struct bytes {
	uint32_t next; /* the in-order offset: sequence number of the next byte to go out */
	bool is_started; /* next is valid */
	bool is_finished;
	uint64_t last_ns; /* time of the newest byte that went out */
	uint32_t queue_bytes;
	struct queued_segment *queue; /* the reassembly queue: segments behind a sequence gap */
	struct memory_account *memory; /* charged for queue and ahead; borrowed; may be NULL */
	struct ahead ahead; /* segments that the socket may never accept */
};

/* dir is view->dir. time_ns: time of the newest byte up to this position. */
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

/* The direction begins at seq; ignored if it has begun. Queued segments from seq on go out. */
void bytes_start(struct bytes *b, enum dir dir, uint32_t seq, const struct bytes_sink *sink,
		 void *ctx);

/* Adds one segment; calls the sink zero or more times. */
void bytes_push(struct bytes *b, const struct segment_view *segment, uint64_t time_ns,
		const struct bytes_sink *sink, void *ctx);

/*
 * True if the segment is the next in order, completely copied, and the queue is empty, as for
 * nearly all segments.
 */
static inline bool bytes_is_in_order(const struct bytes *b, const struct segment_view *segment)
{
	return b->is_started && !b->is_finished && !b->queue && segment->seq == b->next &&
	       segment->from_seq == segment->seq && !segment->is_fin && !segment->is_ahead &&
	       segment->data.len && segment->to_seq == segment->seq + (uint32_t)segment->data.len;
}

/* bytes_push() for such a segment, inlined. */
static inline void bytes_push_in_order(struct bytes *b, const struct segment_view *segment,
				       uint64_t time_ns, const struct bytes_sink *sink, void *ctx)
{
	if (time_ns > b->last_ns)
		b->last_ns = time_ns;
	b->next = segment->to_seq;
	sink->data(ctx, segment->dir, segment, b->last_ns);
}

/*
 * Gives up all sequence gaps: queued segments go out, the gaps before them as lost. Segments ahead
 * (flow/ahead.h), which nobody confirmed, are dropped and not counted.
 */
void bytes_flush(struct bytes *b, enum dir dir, const struct bytes_sink *sink, void *ctx);

/*
 * data, of the other direction, acknowledges everything before its peer_seq, which it has: segments
 * ahead go out as far as no byte before them is missing. What is missing may still come: another
 * CPU is about to send it (bpf/state.bpf.h, ingress_busy()).
 */
void bytes_acknowledged(struct bytes *b, const struct segment_view *data,
			const struct bytes_sink *sink, void *ctx);

/*
 * Gives up the gaps below data->peer_seq, or all of them if !data->has_peer; data is a segment of
 * the other direction.
 */
void bytes_give_up_gaps(struct bytes *b, const struct segment_view *data,
			const struct bytes_sink *sink, void *ctx);

/*
 * The direction ends at to_seq, and no further segment comes. Bytes below reported_seq are in
 * segments that were reported or lost; the rest passed and was not copied.
 */
void bytes_advance(struct bytes *b, enum dir dir, uint32_t reported_seq, uint32_t to_seq,
		   uint64_t time_ns, const struct bytes_sink *sink, void *ctx);

#endif
