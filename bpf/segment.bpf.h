/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a segment changes before anything of it is sent: sequence numbers,
 * whose turn it is, and which bytes are known to be body.
 */
#ifndef SIDELIGHT_SEGMENT_BPF_H
#define SIDELIGHT_SEGMENT_BPF_H

#include "mptcp.bpf.h"
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

/* A global function: see scan_head(). */
__noinline __u32 open_ended(struct __sk_buff *skb, __u32 is_egress)
{
	struct sock_state *st = state_of(skb);

	return st ? open_conn(skb, st, is_egress ? SL_EGRESS : SL_INGRESS) : false;
}

/* Counts an end that no callback tells of. */
static __always_inline void count_end(bool is_reset)
{
	count_exact(SL_C_CLOSED);
	if (is_reset)
		count_exact(SL_C_RESET);
}

/*
 * A FIN or RST has passed: will a state callback tell of the end? It does unless another program
 * has cleared the socket's callback flags, and then it did not come before, either. Should it come
 * all the same, on_closed() finds is_closed.
 */
static __always_inline bool has_callback(__u32 ends, bool is_reset)
{
	return is_reset ? ends >= ENDS_ESTABLISHED : ends & ENDS_CLOSING_ALL;
}

/* Adds the FIN of a direction. Has the connection ended? The later of two CPUs sees both FINs. */
static __always_inline bool add_fin(struct bpf_sock *sk, __u32 *ends, __u8 role, __u8 dir)
{
	__sync_fetch_and_add(ends, ENDS_FIN);
	if ((*(volatile __u32 *)ends & ENDS_FIN_ALL) >= 2 * ENDS_FIN)
		return true;
	/*
	 * A server that has sent its FIN answers nothing more. The hooks may not see the peer's
	 * FIN: it came with data on the listener's socket, or comes when this socket is gone, and
	 * a time-wait socket stands for it (tcp_time_wait(), in FIN_WAIT2 already).
	 */
	return dir == SL_EGRESS && (role == SL_ROLE_SERVER || sk->state == BPF_TCP_LAST_ACK);
}

/* False: another CPU has seen the end, too, and tells of it. */
static __always_inline bool close_state(struct sock_state *st)
{
	bool is_first;

	bpf_spin_lock(&st->lock);
	is_first = !st->is_closed;
	st->is_closed = true;
	bpf_spin_unlock(&st->lock);
	return is_first;
}

/* The connection has ended, and no callback will tell. */
static __always_inline void end_untold(struct __sk_buff *skb, struct sock_state *st,
				       struct bpf_tcp_sock *tcp, __u8 dir, bool is_reset)
{
	const struct half *in = &st->half[SL_INGRESS];
	const struct half *out = &st->half[SL_EGRESS];

	count_end(is_reset);
	if (has_first_subflows && skb->sk)
		remove_first_subflow(skb->sk);
	if (in->ahead != AHEAD_NONE)
		confirm_ack(skb, tcp->rcv_nxt);
	/* Its only data was seen on the listener's socket. */
	if (!st->is_open && tcp->bytes_received && st->role == SL_ROLE_SERVER)
		st->is_open = open_ended(skb, dir == SL_EGRESS);
	if (st->is_open)
		send_close(st, is_reset, in->next - in->first_seq, out->next - out->first_seq,
			   tcp->srtt_us >> 3, tcp->total_retrans);
}

/*
 * A direction has ended, and all of it was sent. With both, or with an RST, so has the connection.
 * That is told here if no state callback will: of connections that are older than we are, and of
 * those whose callback flags another program has cleared. A global function: see scan_head().
 */
__noinline __u32 end_direction(struct __sk_buff *skb, __u32 is_egress, __u32 is_reset)
{
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	struct sock_state *st = state_of(skb);
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;
	struct half *h;

	if (!sk || !st || st->mute || st->is_closed)
		return 0;
	h = &st->half[dir];
	if (!is_reset) {
		if (h->is_finished)
			return 0;
		h->is_finished = true;
		if (!add_fin(sk, &st->ends, st->role, dir))
			return 0;
	}
	if (!st->is_midstream && has_callback(st->ends, is_reset))
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (!tcp || !close_state(st))
		return 0;
	tell_volume(&st->half[SL_INGRESS]);
	tell_volume(&st->half[SL_EGRESS]);
	if (!st->is_midstream)
		end_untold(skb, st, tcp, dir, is_reset);
	else if (st->is_open)
		send_close(st, is_reset, 0, 0, 0, 0);
	release_state();
	st->mute = SL_MUTE_MAX; /* user space knows nothing of the connection any more */
	return 1;
}

/* A FIN or RST at seq, of a connection that may be muted. A global function: see scan_head(). */
__noinline __u32 end_muted(struct __sk_buff *skb, __u32 is_egress, __u32 is_reset, __u32 seq)
{
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	struct bpf_sock *sk = skb->sk;
	struct muted_state *rest;
	struct bpf_tcp_sock *tcp;

	if (!sk)
		return 0;
	rest = bpf_sk_storage_get(&muted, sk, NULL, 0);
	tcp = bpf_tcp_sock(sk);
	if (!rest || !tcp || rest->is_closed || rest->is_midstream)
		return 0;
	/* As the socket believes it: in sequence. */
	if (dir == SL_INGRESS && tcp->rcv_nxt != seq)
		return 0;
	if (!is_reset) {
		__u8 *is_finished = &rest->is_finished[dir];

		if (*is_finished)
			return 0;
		*is_finished = true;
		if (!add_fin(sk, &rest->ends, rest->role, dir))
			return 0;
	}
	if (has_callback(rest->ends, is_reset))
		return 0;
	rest->is_closed = true;
	count_end(is_reset);
	if (rest->is_open)
		send_muted_close(rest->id, is_reset, tcp->bytes_received, tcp->bytes_acked,
				 tcp->srtt_us >> 3, tcp->total_retrans);
	if (!rest->is_released)
		release_state();
	rest->is_released = true;
	return 1;
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
	if (st->mute || st->is_closed)
		return;
	/* What is before it may have come out of order, or on the listener's socket. */
	if (dir == SL_INGRESS && seg->seq != next) {
		next = received_seq(skb, next);
		if (seg->seq != next)
			return;
		/* A single byte may be a FIN, which is none of the stream. */
		if (st->is_open && next - (__u32)h->next > 1)
			h->told_seq = next;
	}
	/* In sequence, as the socket itself believes an RST (RFC 5961 section 3). */
	if (seg->seq != next)
		return;
	/* A request never ends with its direction: nobody waits for that FIN. */
	if (st->is_open && !is_reset && (dir != request_dir || st->role == SL_ROLE_UNKNOWN))
		send_progress(st, dir, seg->seq, true);
	end_direction(skb, dir == SL_EGRESS, is_reset);
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
		/* While messages are pipelined, a turn may begin inside of one. */
		h->budget = h->budget > TURN_BUDGET ? PIPELINE_BUDGET : TURN_BUDGET;
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
			end_direction(skb, dir == SL_EGRESS, false);
		return TAKE_NOTHING;
	}
	at = h->skip_to - at;
	seg->seq += at;
	seg->off += at;
	seg->len -= at;
	return TAKE_REST;
}

#endif
