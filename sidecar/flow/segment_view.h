/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segment views (struct segment_view, capture/event.h) that flow passes to its sinks, one for
 * each run of new bytes in sequence order, or with the report that bytes were skipped, lost, or the
 * last ones. Borrowed during the callback.
 *
 * Nearly all of them are the source's own views. Others combine two segments: queued bytes go out
 * with data, seq, tid and is_frame of their own segment, and without wants_frame_start. All other
 * members are from the segment that released them: the one that filled or gave up the sequence gap
 * before them, or one of the other direction, reversed. So positions are those at the time of
 * release, because requests that go out together were in flight together, whatever their senders
 * had acknowledged before. A view without bytes is the view of the current segment; if there is
 * none, all members but dir and is_derived are zero.
 *
 * is_derived: data is not exactly what the source delivered: it was queued, truncated, buffered or
 * decrypted.
 */
#ifndef SIDELIGHT_FLOW_SEGMENT_VIEW_H
#define SIDELIGHT_FLOW_SEGMENT_VIEW_H

#include "capture/event.h"

/* The view with other bytes in place of its own. */
static inline struct segment_view segment_view_with(const struct segment_view *v, struct span data)
{
	struct segment_view other = *v;

	other.data = data;
	other.is_derived = true;
	other.is_frame = other.wants_frame_start = false;
	return other;
}

/* True if the segment has no copied bytes and no FIN: the source reports only that bytes passed. */
static inline bool segment_view_is_empty(const struct segment_view *v)
{
	return !v->data.len && !v->is_fin && !v->is_derived;
}

/* The view of the same segment from the other direction: its acknowledgement. */
static inline struct segment_view segment_view_reverse(const struct segment_view *v)
{
	struct segment_view other = *v;

	other.dir = dir_other(v->dir);
	other.from_seq = v->peer_seq;
	other.peer_seq = v->from_seq;
	return other;
}

#endif
