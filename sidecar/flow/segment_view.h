/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flow hands on of one segment: a run of new bytes in sequence order, or the news that bytes
 * were skipped, lost, or the last ones. Borrowed during the callback that gets it.
 *
 * A segment that had to wait for others goes out with the one that fills the sequence gap, or that
 * gives it up. The bytes, their thread and their frame mark are those of the waiting segment. The
 * two positions are those of the segment that lets it out: requests that go out together were in
 * flight together, whatever their senders had acknowledged before.
 */
#ifndef SIDELIGHT_FLOW_SEGMENT_VIEW_H
#define SIDELIGHT_FLOW_SEGMENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct segment_view {
	struct span data; /* not empty for bytes_sink.data; of no meaning for the others */
	uint64_t time_ns; /* when the newest byte up to here was seen */
	/* How far this direction and the other one had come for the segment's sender, in order;
	 * valid if has_peer. */
	uint32_t own_seq;
	uint32_t peer_seq;
	uint32_t tid; /* egress: thread that wrote; 0 unknown */
	bool has_peer;
	bool is_start; /* data starts where its segment does, which did not have to wait */
	bool is_frame; /* data starts an HTTP/2 frame, or the preface: for certain */
	bool asks; /* is_start, and the source asks where the first frame at data or behind starts
		    */
	bool is_bare; /* the segment has no copied bytes and no FIN: its bytes pass right now */
};

/* Other bytes of the segment in place of its first ones: held back, decrypted, or behind them. */
static inline struct segment_view segment_view_with(const struct segment_view *v, struct span data,
						    uint64_t time_ns)
{
	struct segment_view other = *v;

	other.data = data;
	other.time_ns = time_ns;
	other.is_start = other.is_frame = other.asks = false;
	return other;
}

/* What the segment says of the other direction. */
static inline struct segment_view segment_view_across(const struct segment_view *v)
{
	struct segment_view other = *v;

	other.own_seq = v->peer_seq;
	other.peer_seq = v->own_seq;
	return other;
}

#endif
