/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The views that flow hands on (struct segment_view, capture/event.h), with each run of new bytes
 * in sequence order, and with the news that bytes were skipped, lost, or the last ones. Borrowed
 * during the callback that gets them.
 *
 * Nearly all of them are those of the source itself. Others are made from two segments: bytes that
 * had to wait go out with the segment that fills the sequence gap in front of them, or gives it up.
 * Their data, tid and is_frame are their own. from_seq and peer_seq are those of the segment that
 * lets them out: requests that go out together were in flight together, whatever their senders had
 * acknowledged before. A view without bytes is that of the segment at hand; if there is none, all
 * but dir and is_rest is zero.
 *
 * is_rest: data is not what the source handed in and spoke of. It had to wait, or is the rest of
 * it, or was held back, or decrypted.
 */
#ifndef SIDELIGHT_FLOW_SEGMENT_VIEW_H
#define SIDELIGHT_FLOW_SEGMENT_VIEW_H

#include "capture/event.h"

/* The segment with other bytes in place of its own. */
static inline struct segment_view segment_view_with(const struct segment_view *v, struct span data)
{
	struct segment_view other = *v;

	other.data = data;
	other.is_rest = true;
	other.is_frame = other.asks = false;
	return other;
}

/* The segment has no copied bytes and no FIN: the source hands it in when its bytes pass. */
static inline bool segment_view_is_bare(const struct segment_view *v)
{
	return !v->data.len && !v->is_fin && !v->is_rest;
}

/* What the segment says of the other direction. */
static inline struct segment_view segment_view_across(const struct segment_view *v)
{
	struct segment_view other = *v;

	other.dir = dir_other(v->dir);
	other.from_seq = v->peer_seq;
	other.peer_seq = v->from_seq;
	return other;
}

#endif
