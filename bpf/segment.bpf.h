/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a segment changes before anything of it is sent: sequence numbers,
 * holes, whose turn it is, and which bytes are known to be body.
 */
#ifndef SIDELIGHT_SEGMENT_BPF_H
#define SIDELIGHT_SEGMENT_BPF_H

#include "hole.bpf.h"
#include "packet.bpf.h"
#include "piece.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/*
 * Bytes below next, of which none is to fill a hole. True if the segment has new bytes behind
 * them.
 */
static __always_inline bool take_old(const struct half *h, struct segment *seg)
{
	__u32 behind = (__u32)h->next - seg->seq;

	if (behind >= seg->len) {
		count(SL_C_RETRANSMITTED, 1);
		return false;
	}
	seg->seq += behind;
	seg->off += behind;
	seg->len -= behind;
	return true;
}

static __always_inline bool open_conn(struct __sk_buff *skb, struct sock_state *st, __u8 dir)
{
	struct tuple t;

	if (!tuple_of_packet(skb, dir == SL_EGRESS, &t))
		return false;
	return send_open(&t, st->id, st->role, 0, st->half[SL_INGRESS].first_seq,
			 st->half[SL_EGRESS].first_seq);
}

/* The direction's FIN; also the end of a connection that no state callback will report. */
static __always_inline void take_fin(struct sock_state *st, const struct segment *seg, __u8 dir)
{
	struct half *h = &st->half[dir];
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;

	if (st->is_midstream)
		tell_volume(h);
	if (!st->is_open || st->mute || st->is_closed)
		return;
	if (seg->tcp_flags & TCP_RST) {
		/* Only in sequence, as the socket itself believes it (RFC 5961 section 3). */
		if (st->is_midstream && seg->seq == (__u32)h->next) {
			st->is_closed = true;
			send_close(st, true, 0, 0, 0, 0);
		}
		return;
	}
	/* A request never ends with its direction: nobody waits for that FIN. */
	if (seg->seq != (__u32)h->next || (dir == request_dir && st->role != SL_ROLE_UNKNOWN))
		return;
	send_progress(st, dir, seg->seq, true);
}

static __always_inline void start_half(struct half *h, __u32 seq)
{
	h->next = seq;
	h->first_seq = seq;
	h->told_seq = seq;
	h->hole_lo = seq;
	h->hole_hi = seq;
}

enum take {
	TAKE_NOTHING, /* of it is to be sent */
	TAKE_REST, /* what is left in *seg */
	TAKE_HOLE, /* it makes or fills one: for take_hole(); nothing was changed */
};

/*
 * What a segment changes, before anything of it is sent: sequence numbers,
 * turn, body bytes known as such.
 */
static __always_inline enum take take_segment(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, struct segment *seg)
{
	struct half *h = &st->half[dir];
	bool is_turn;
	__s32 ahead;
	__u64 at; /* position of its first new byte */

	if (seg->len == 0) {
		take_fin(st, seg, dir);
		return TAKE_NOTHING;
	}
	if (dir == SL_EGRESS)
		h->ack = seg->ack;
	else if (has_hole(h))
		close_hole(skb, h);

	at = h->next;
	ahead = seg->seq - (__u32)at;
	if (ahead < 0) {
		if (dir == SL_INGRESS && is_for_hole(h, seg))
			return TAKE_HOLE;
		if (!take_old(h, seg))
			return TAKE_NOTHING;
	}
	if (ahead > 0) {
		if (dir == SL_INGRESS)
			return TAKE_HOLE;
		at += ahead;
		h->told_seq = seg->seq;
		h->at_start = false;
	}
	if (++h->segments >= VOLUME_SEGMENTS)
		tell_volume(h);
	h->next = at + seg->len;
	h->bytes_seen += seg->len;
	if (!st->is_open)
		st->is_open = open_conn(skb, st, dir);
	if (st->is_http2)
		return TAKE_REST;

	is_turn = st->last_dir != dir;
	if (is_turn) {
		st->last_dir = dir;
		h->budget = TURN_BUDGET;
		h->is_turn = true;
	}
	if (h->skip_to <= at)
		return TAKE_REST;
	if (((is_turn || h->is_skip_new) && response_at(skb, seg->off, seg->len)) ||
	    (is_turn && h->is_skip_new && request_at(skb, seg->off, seg->len))) {
		h->skip_to = at;
		return TAKE_REST;
	}
	h->is_skip_new = false;
	h->is_turn = false;
	if (h->skip_to >= h->next) {
		bool is_fin = seg->tcp_flags & TCP_FIN;

		if (h->skip_to == h->next || is_fin || (__u32)h->next - h->told_seq > 1u << 30)
			send_progress(st, dir, h->next, is_fin);
		return TAKE_NOTHING;
	}
	at = h->skip_to - at;
	seg->seq += at;
	seg->off += at;
	seg->len -= at;
	return TAKE_REST;
}

#endif
