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
static __always_inline bool trim_retransmitted(const struct direction *d, struct segment *seg)
{
	__u32 behind = (__u32)d->next - seg->seq;

	if (behind >= seg->len) {
		count(SL_C_RETRANSMITTED, 1);
		return false;
	}
	seg->seq += behind;
	seg->off += behind;
	seg->len -= behind;
	return true;
}

static __always_inline bool send_open_of(struct __sk_buff *skb, struct sock_state *st, __u8 dir)
{
	struct tuple t;

	if (!tuple_of_packet(skb, dir == SL_EGRESS, &t))
		return false;
	return send_open(&t, st->id, st->role, 0, st->direction[SL_INGRESS].first_seq,
			 st->direction[SL_EGRESS].first_seq);
}

/* A global function: see scan_head(). */
__noinline __u32 open_at_end(struct __sk_buff *skb, __u32 is_egress)
{
	struct sock_state *st = find_state(skb);

	return st ? send_open_of(skb, st, is_egress ? SL_EGRESS : SL_INGRESS) : false;
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
static __always_inline bool expects_callback(__u32 ends, bool is_reset)
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
static __always_inline bool claim_close(struct sock_state *st)
{
	bool is_first;

	bpf_spin_lock(&st->lock);
	is_first = !st->is_closed;
	st->is_closed = true;
	bpf_spin_unlock(&st->lock);
	return is_first;
}

/* The connection has ended, and no callback will tell. */
static __always_inline void close_without_callback(struct __sk_buff *skb, struct sock_state *st,
						   struct bpf_tcp_sock *tcp, __u8 dir,
						   bool is_reset)
{
	const struct direction *in = &st->direction[SL_INGRESS];
	const struct direction *out = &st->direction[SL_EGRESS];

	count_end(is_reset);
	if (has_first_subflows && skb->sk)
		remove_first_subflow(skb->sk);
	if (in->order != ORDER_KEPT)
		confirm_by_ack(skb, tcp->rcv_nxt);
	/* Its only data was seen on the listener's socket. */
	if (!st->is_open && tcp->bytes_received && st->role == SL_ROLE_SERVER)
		st->is_open = open_at_end(skb, dir == SL_EGRESS);
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
	struct sock_state *st = find_state(skb);
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;
	struct direction *d;

	if (!sk || !st || st->mute || st->is_closed)
		return 0;
	d = &st->direction[dir];
	if (!is_reset) {
		if (d->is_finished)
			return 0;
		d->is_finished = true;
		if (!add_fin(sk, &st->ends, st->role, dir))
			return 0;
	}
	if (!st->is_midstream && expects_callback(st->ends, is_reset))
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (!tcp || !claim_close(st))
		return 0;
	flush_volume(&st->direction[SL_INGRESS]);
	flush_volume(&st->direction[SL_EGRESS]);
	if (!st->is_midstream)
		close_without_callback(skb, st, tcp, dir, is_reset);
	else if (st->is_open)
		send_close(st, is_reset, 0, 0, 0, 0);
	release_state();
	st->mute = SL_MUTE_MAX; /* user space knows nothing of the connection any more */
	return 1;
}

/* A FIN or RST at seq, of a connection that may be muted. A global function: see scan_head(). */
__noinline __u32 close_muted(struct __sk_buff *skb, __u32 is_egress, __u32 is_reset, __u32 seq)
{
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	struct bpf_sock *sk = skb->sk;
	struct muted_state *muted_st;
	struct bpf_tcp_sock *tcp;

	if (!sk)
		return 0;
	muted_st = bpf_sk_storage_get(&muted, sk, NULL, 0);
	tcp = bpf_tcp_sock(sk);
	if (!muted_st || !tcp || muted_st->is_closed || muted_st->is_midstream)
		return 0;
	/* As the socket believes it: in sequence. */
	if (dir == SL_INGRESS && tcp->rcv_nxt != seq)
		return 0;
	if (!is_reset) {
		__u8 *is_finished = &muted_st->is_finished[dir];

		if (*is_finished)
			return 0;
		*is_finished = true;
		if (!add_fin(sk, &muted_st->ends, muted_st->role, dir))
			return 0;
	}
	if (expects_callback(muted_st->ends, is_reset))
		return 0;
	muted_st->is_closed = true;
	count_end(is_reset);
	if (muted_st->is_open)
		send_muted_close(muted_st->id, is_reset, tcp->bytes_received, tcp->bytes_acked,
				 tcp->srtt_us >> 3, tcp->total_retrans);
	if (!muted_st->is_released)
		release_state();
	muted_st->is_released = true;
	return 1;
}

/* The direction's FIN without data, or an RST. */
static __always_inline void process_fin(struct __sk_buff *skb, struct sock_state *st,
					const struct segment *seg, __u8 dir)
{
	struct direction *d = &st->direction[dir];
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	bool is_reset = seg->tcp_flags & TCP_RST;
	__u32 next = d->next;

	if (st->is_midstream)
		flush_volume(d);
	/* Who has sent its FIN, and gets data all the same, answers with an RST behind that. */
	if (is_reset && d->is_finished)
		next++;
	if (st->mute || st->is_closed)
		return;
	/* What is before it may have come out of order, or on the listener's socket. */
	if (dir == SL_INGRESS && seg->seq != next) {
		next = received_seq(skb, next);
		if (seg->seq != next)
			return;
		/* A single byte may be a FIN, which is none of the stream. */
		if (st->is_open && next - (__u32)d->next > 1)
			d->reported_seq = next;
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
static __always_inline void init_direction(struct direction *d, __u32 seq, __u32 other_first_seq)
{
	d->next = seq;
	d->first_seq = seq;
	d->reported_seq = seq;
	d->ack = other_first_seq;
	d->flight_ack = other_first_seq - 1;
}

enum segment_action {
	SEGMENT_DONE, /* of it is to be sent */
	SEGMENT_SEND, /* what is left in *seg */
	SEGMENT_OUT_OF_ORDER, /* bytes before it are missing: for sl_out_of_order(); nothing was
				 changed */
};

/*
 * What a segment changes, before anything of it is sent: sequence numbers,
 * turn, body bytes known as such.
 */
static __always_inline enum segment_action
process_segment(struct __sk_buff *skb, struct sock_state *st, __u8 dir, struct segment *seg)
{
	struct direction *d = &st->direction[dir];
	bool is_flight_start;
	__s32 ahead;
	__u64 at; /* position of its first new byte */

	if (dir == SL_EGRESS) {
		d->ack = seg->ack;
	} else if (!check_ack(skb, st, seg)) {
		count(SL_C_OUT_OF_WINDOW, 1);
		return SEGMENT_DONE;
	}
	if (seg->len == 0 || seg->tcp_flags & TCP_RST) {
		process_fin(skb, st, seg, dir);
		return SEGMENT_DONE;
	}
	at = d->next;
	ahead = seg->seq - (__u32)at;
	if (ahead < 0) {
		if (!trim_retransmitted(d, seg))
			return SEGMENT_DONE;
	}
	if (ahead > 0) {
		if (dir == SL_INGRESS)
			return SEGMENT_OUT_OF_ORDER;
		at += ahead;
		d->reported_seq = seg->seq;
		d->at_message_start = false;
	}
	if (++d->segments >= VOLUME_SEGMENTS)
		flush_volume(d);
	d->next = at + seg->len;
	d->bytes_seen += seg->len;
	if (!st->is_open)
		st->is_open = send_open_of(skb, st, dir);
	if (st->is_http2)
		return SEGMENT_SEND;

	is_flight_start = d->flight_ack != d->ack;
	if (is_flight_start) {
		d->flight_ack = d->ack;
		/* While messages are pipelined, a turn may begin inside of one. */
		d->budget = d->budget > FLIGHT_BUDGET ? PIPELINE_BUDGET : FLIGHT_BUDGET;
		d->is_flight_start = true;
	}
	if (d->skip_to <= at)
		return SEGMENT_SEND;
	if (((is_flight_start || d->is_body_expected) && response_at(skb, seg->off, seg->len)) ||
	    (is_flight_start && d->is_body_expected && request_at(skb, seg->off, seg->len))) {
		d->skip_to = at;
		return SEGMENT_SEND;
	}
	d->is_body_expected = false;
	d->is_flight_start = false;
	if (d->skip_to >= d->next) {
		bool is_fin = seg->tcp_flags & TCP_FIN;

		if (d->skip_to == d->next || is_fin || (__u32)d->next - d->reported_seq > 1u << 30)
			send_progress(st, dir, d->next, is_fin);
		if (is_fin)
			end_direction(skb, dir == SL_EGRESS, false);
		return SEGMENT_DONE;
	}
	at = d->skip_to - at;
	seg->seq += at;
	seg->off += at;
	seg->len -= at;
	return SEGMENT_SEND;
}

#endif
