/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a segment changes before anything of it is sent: sequence numbers,
 * holes, whose turn it is, and which bytes are known to be body.
 */
#ifndef SIDELIGHT_SEGMENT_BPF_H
#define SIDELIGHT_SEGMENT_BPF_H

#include "packet.bpf.h"
#include "piece.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* Bytes below next_seq. True if the segment has new bytes behind them. */
static __always_inline bool take_old(struct __sk_buff *skb, struct sock_state *st,
				     struct segment *seg, __u8 dir)
{
	struct half *h = &st->half[dir];
	__u32 behind = h->next_seq - seg->seq;

	if (has_hole(h) && (__s32)(seg->seq - h->hole_hi) < 0 &&
	    (__s32)(seg->seq + seg->len - h->hole_lo) > 0) {
		struct sl_data *rec;
		__u64 n = seg->len;

		/* Fills a hole: sent as it is, one record; state stays with the newest bytes. */
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_LARGE, 0);
		if (!rec) {
			count_exact(SL_C_LOST_DATA);
			return false;
		}
		if ((__s32)(seg->seq - h->hole_lo) <= 0)
			h->hole_lo = seg->seq + seg->len;
		if (n > SL_DATA_LARGE)
			n = SL_DATA_LARGE;
		if (!load_bytes(skb, seg->off, rec->data, n, SL_DATA_LARGE)) {
			count_exact(SL_C_LOST_HELPER);
			bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
			return false;
		}
		fill_data(rec, st, dir, 0, seg->seq, seg->seq, n, seg->seq + seg->len);
		bpf_ringbuf_submit(rec, wake_flags(&rec->h));
		h->records++;
		h->bytes_sent += n;
		return false;
	}
	if (behind >= seg->len) {
		count(SL_C_RETRANSMITTED, 1);
		return false;
	}
	seg->seq += behind;
	seg->off += behind;
	seg->len -= behind;
	return true;
}

/* Of the body that is due, len bytes passed without being looked at. */
static __always_inline void pass_body(struct half *h, __u32 len)
{
	h->skip_left = h->skip_left > len ? h->skip_left - len : 0;
}

/* Bytes beyond next_seq: those between may come later (ingress), or were not seen. */
static __always_inline void jump_ahead(struct half *h, __u32 seq, __u8 dir)
{
	__u32 ahead = seq - h->next_seq;

	if (dir == SL_INGRESS) {
		if (!has_hole(h))
			h->hole_lo = h->next_seq;
		h->hole_hi = seq;
	}
	pass_body(h, ahead);
	h->at_start = false;
	h->next_seq = seq;
	h->told_seq = seq;
}

/* The peer's ACK says what the socket has: holes below it are filled, and data
 * that was seen on the listener's socket is known. */
static __always_inline void learn_ack(struct half *other, __u32 ack)
{
	if (has_hole(other) && (__s32)(ack - other->hole_hi) >= 0)
		other->hole_lo = other->hole_hi;
	if ((__s32)(ack - other->next_seq) > 0) {
		/* Body may have come early, ahead of its head: it is not to come again. */
		pass_body(other, ack - other->next_seq);
		other->next_seq = ack;
		other->told_seq = ack;
	}
}

static __always_inline bool open_conn(struct __sk_buff *skb, struct sock_state *st, __u8 dir)
{
	struct tuple t;

	if (!tuple_of_packet(skb, dir == SL_EGRESS, &t))
		return false;
	return send_open(&t, st->id, st->role, 0);
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
		if (st->is_midstream && seg->seq == h->next_seq) {
			st->is_closed = true;
			send_close(st, true, 0, 0, 0, 0);
		}
		return;
	}
	/* A request never ends with its direction: nobody waits for that FIN. */
	if (seg->seq != h->next_seq || (dir == request_dir && st->role != SL_ROLE_UNKNOWN))
		return;
	send_progress(st, dir, h->next_seq, true);
}

static __always_inline void start_half(struct half *h, __u32 seq)
{
	h->next_seq = seq;
	h->told_seq = seq;
	h->hole_lo = seq;
	h->hole_hi = seq;
}

/*
 * What a segment changes, before anything of it is sent: sequence numbers,
 * turn, body bytes known as such. True if bytes are left in *seg to be sent.
 */
static __always_inline bool take_segment(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					 struct segment *seg)
{
	struct half *h = &st->half[dir];
	bool is_turn;
	__s32 ahead;

	if (seg->len == 0) {
		take_fin(st, seg, dir);
		return false;
	}
	if (++h->segments >= VOLUME_SEGMENTS)
		tell_volume(h);
	if (dir == SL_EGRESS)
		learn_ack(&st->half[SL_INGRESS], seg->ack);

	ahead = seg->seq - h->next_seq;
	if (ahead < 0 && !take_old(skb, st, seg, dir))
		return false;
	if (ahead > 0)
		jump_ahead(h, seg->seq, dir);
	/*
	 * Not added to: a duplicate may be here on another CPU at the same time, and
	 * both come to the same number.
	 */
	h->next_seq = seg->seq + seg->len;
	h->bytes_seen += seg->len;
	if (!st->is_open)
		st->is_open = open_conn(skb, st, dir);
	if (st->http2)
		return true;

	is_turn = st->last_dir != dir;
	if (is_turn) {
		st->last_dir = dir;
		h->budget = TURN_BUDGET;
		h->is_turn = true;
	}
	if (h->skip_left == 0)
		return true;
	if ((is_turn || h->is_skip_new) && response_at(skb, seg->off, seg->len)) {
		h->skip_left = 0;
		return true;
	}
	h->is_skip_new = false;
	h->is_turn = false;
	if (h->skip_left >= seg->len) {
		bool is_fin = seg->tcp_flags & TCP_FIN;

		h->skip_left -= seg->len;
		if (h->skip_left == 0 || is_fin || h->next_seq - h->told_seq > 1u << 30)
			send_progress(st, dir, h->next_seq, is_fin);
		return false;
	}
	seg->seq += h->skip_left;
	seg->off += h->skip_left;
	seg->len -= h->skip_left;
	h->skip_left = 0;
	return true;
}

#endif
