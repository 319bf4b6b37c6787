/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a segment changes before anything of it is sent: sequence numbers,
 * whose turn it is, and which bytes are known to be body.
 */
#ifndef SIDELIGHT_SEGMENT_BPF_H
#define SIDELIGHT_SEGMENT_BPF_H

#include "packet.bpf.h"
#include "piece.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"
#include "window.bpf.h"

/* Bytes below next. True if the segment has new bytes behind them. */
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

static __always_inline __u32 end_half(struct sock_state *st, struct half *h, bool is_reset)
{
	if (!st->is_midstream || !st->is_open || st->mute || st->is_closed)
		return 0;
	if (!is_reset) {
		if (h->is_finished)
			return 0;
		h->is_finished = true;
		/* The second of two CPUs sees both. If both do: user space takes one CLOSE. */
		__sync_fetch_and_add(&st->finished, 1);
		if (*(volatile __u32 *)&st->finished < 2)
			return 0;
	}
	st->is_closed = true;
	release_state();
	send_close(st, is_reset, 0, 0, 0, 0);
	return 1;
}

/* Global functions: see scan_head(). */
__noinline __u32 end_ingress(struct __sk_buff *skb, __u32 is_reset)
{
	struct sock_state *st = state_of(skb);

	return st ? end_half(st, &st->half[SL_INGRESS], is_reset) : 0;
}

__noinline __u32 end_egress(struct __sk_buff *skb, __u32 is_reset)
{
	struct sock_state *st = state_of(skb);

	return st ? end_half(st, &st->half[SL_EGRESS], is_reset) : 0;
}

/*
 * A direction has ended, and all of it was sent. With both, or with an RST, so has a connection
 * that is older than we are: no state callback tells of that.
 */
static __always_inline void end_direction(struct __sk_buff *skb, __u8 dir, bool is_reset)
{
	if (dir == SL_INGRESS)
		end_ingress(skb, is_reset);
	else
		end_egress(skb, is_reset);
}

/* The direction's FIN without data, or an RST. */
static __always_inline void take_fin(struct __sk_buff *skb, struct sock_state *st,
				     const struct segment *seg, __u8 dir)
{
	struct half *h = &st->half[dir];
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	bool is_reset = seg->tcp_flags & TCP_RST;
	__u32 next = h->next;

	if (st->is_midstream)
		tell_volume(h);
	/* Who has sent its FIN, and gets data all the same, answers with an RST behind that. */
	if (is_reset && h->is_finished)
		next++;
	if (!st->is_open || st->mute || st->is_closed)
		return;
	/* What is before it may have come out of order. */
	if (dir == SL_INGRESS && seg->seq != next) {
		next = received_seq(skb, next);
		if (seg->seq != next)
			return;
		/* A single byte may be a FIN, which is none of the stream. */
		if (next - (__u32)h->next > 1)
			h->told_seq = next;
	}
	/* In sequence, as the socket itself believes an RST (RFC 5961 section 3). */
	if (seg->seq != next)
		return;
	/* A request never ends with its direction: nobody waits for that FIN. */
	if (!is_reset && (dir != request_dir || st->role == SL_ROLE_UNKNOWN))
		send_progress(st, dir, seg->seq, true);
	end_direction(skb, dir, is_reset);
}

/* The first data of either direction is a turn. */
static __always_inline void start_half(struct half *h, __u32 seq, __u32 other_first_seq)
{
	h->next = seq;
	h->first_seq = seq;
	h->told_seq = seq;
	h->ack = other_first_seq;
	h->turn_ack = other_first_seq - 1;
}

enum take {
	TAKE_NOTHING, /* of it is to be sent */
	TAKE_REST, /* what is left in *seg */
	TAKE_AHEAD, /* bytes before it are missing: for sl_ahead(); nothing was changed */
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

	if (dir == SL_EGRESS) {
		h->ack = seg->ack;
	} else if (!take_ack(skb, st, seg)) {
		count(SL_C_OUT_OF_WINDOW, 1);
		return TAKE_NOTHING;
	}
	if (seg->len == 0 || seg->tcp_flags & TCP_RST) {
		take_fin(skb, st, seg, dir);
		return TAKE_NOTHING;
	}
	at = h->next;
	ahead = seg->seq - (__u32)at;
	if (ahead < 0) {
		if (!take_old(h, seg))
			return TAKE_NOTHING;
	}
	if (ahead > 0) {
		if (dir == SL_INGRESS)
			return TAKE_AHEAD;
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

	is_turn = h->turn_ack != h->ack;
	if (is_turn) {
		h->turn_ack = h->ack;
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
		if (is_fin)
			end_direction(skb, dir, false);
		return TAKE_NOTHING;
	}
	at = h->skip_to - at;
	seg->seq += at;
	seg->off += at;
	seg->len -= at;
	return TAKE_REST;
}

#endif
