/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ends of connections that segments show: a FIN in each direction, the FIN of an observed server,
 * the FIN of a socket in LAST_ACK, which has received the peer's, or an RST.
 */
#ifndef SIDELIGHT_CLOSE_BPF_H
#define SIDELIGHT_CLOSE_BPF_H

#include "conn_times.bpf.h"
#include "mptcp.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"
#include "window.bpf.h"

/* Sends OPEN, with the addresses of the packet. */
static __always_inline bool send_open_of(struct __sk_buff *skb, struct sock_state *st, __u8 dir)
{
	struct tuple t;

	if (!tuple_of_packet(skb, dir == SL_EGRESS, &t))
		return false;
	return send_open(&t, st->id, st->role, 0, st->direction[SL_INGRESS].first_seq,
			 st->direction[SL_EGRESS].first_seq);
}

/* A global function, see README.md. */
__noinline __u32 open_at_end(struct __sk_buff *skb, __u32 is_egress)
{
	struct sock_state *st = find_state(skb);

	return st ? send_open_of(skb, st, is_egress ? SL_EGRESS : SL_INGRESS) : false;
}

/* Counts the end of a connection, which was opened then; 0: not known. */
static __always_inline void count_end(bool is_reset, bool is_peer_reset, __u32 opened, __u8 role)
{
	count_exact(SL_C_CLOSED);
	if (is_reset)
		count_exact(is_peer_reset ? SL_C_RESET_PEER : SL_C_RESET_LOCAL);
	if (opened)
		count_life(role, coarse_time() - opened);
}

/*
 * Will a state callback report the end of a connection of which a FIN or RST has passed? It will,
 * unless another program has cleared the socket's callback flags; then no earlier callback came,
 * either. If it comes all the same, on_closed() finds is_closed set.
 */
static __always_inline bool expects_callback(__u32 ends, bool is_reset)
{
	return is_reset ? ends >= ENDS_ESTABLISHED : ends & ENDS_CLOSING_ALL;
}

/* Counts the FIN of a direction. Returns whether the connection has ended. */
static __always_inline bool add_fin(struct bpf_sock *sk, __u32 *ends, __u8 role, __u8 dir)
{
	__sync_fetch_and_add(ends, ENDS_FIN);
	if ((*(volatile __u32 *)ends & ENDS_FIN_ALL) >= 2 * ENDS_FIN)
		return true;
	/*
	 * A server sends no response after its FIN. The hooks may not see the peer's FIN: it may
	 * come with data to the listener's socket, or later to the time-wait socket that replaces
	 * this one (tcp_time_wait(), in FIN_WAIT2 already).
	 */
	return dir == SL_EGRESS && (role == SL_ROLE_SERVER || sk->state == BPF_TCP_LAST_ACK);
}

/* Sets is_closed. Returns false if another CPU has set it, which then reports the end. */
static __always_inline bool claim_close(struct sock_state *st)
{
	bool is_first;

	bpf_spin_lock(&st->lock);
	is_first = !st->is_closed;
	st->is_closed = true;
	bpf_spin_unlock(&st->lock);
	return is_first;
}

/* Reports the end of a connection for which no callback will come. */
static __always_inline void close_without_callback(struct __sk_buff *skb, struct sock_state *st,
						   struct bpf_tcp_sock *tcp, __u8 dir,
						   bool is_reset)
{
	const struct direction *in = &st->direction[SL_INGRESS];
	const struct direction *out = &st->direction[SL_EGRESS];

	count_end(is_reset, dir == SL_INGRESS, st->opened, st->role);
	if (has_first_subflows && skb->sk)
		remove_first_subflow(skb->sk);
	if (in->order != ORDER_KEPT)
		confirm_by_ack(skb, tcp->rcv_nxt);
	/* Its only data was seen with the listener's socket. */
	if (!st->is_open && tcp->bytes_received && st->role == SL_ROLE_SERVER)
		st->is_open = open_at_end(skb, dir == SL_EGRESS);
	if (st->is_open)
		send_close(st, is_reset, in->next - in->first_seq, out->next - out->first_seq,
			   tcp->srtt_us >> 3, tcp->total_retrans);
}

/*
 * Handles the end of a direction of which all bytes were sent. If add_fin() says so, or with an
 * RST, the connection has ended. This function reports that end if no state callback will: for
 * connections that are older than this process, and for those whose callback flags another program
 * has cleared. A global function, see README.md.
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
	if (st->start != START_MISSED && expects_callback(st->ends, is_reset)) {
		if (is_reset && dir == SL_INGRESS)
			__sync_fetch_and_add(&st->ends, ENDS_PEER_RESET);
		return 0;
	}
	tcp = bpf_tcp_sock(sk);
	if (!tcp || !claim_close(st))
		return 0;
	flush_volume(&st->direction[SL_INGRESS]);
	flush_volume(&st->direction[SL_EGRESS]);
	if (st->start != START_MISSED)
		close_without_callback(skb, st, tcp, dir, is_reset);
	else if (st->is_open)
		send_close(st, is_reset, 0, 0, 0, 0);
	release_state();
	st->mute = SL_MUTE_MAX; /* user space has forgotten the connection */
	return 1;
}

/* Handles a FIN or RST at seq of a connection that may be muted. A global function, likewise. */
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
	/* The socket accepts it in sequence only. */
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
	if (expects_callback(muted_st->ends, is_reset)) {
		if (is_reset && dir == SL_INGRESS)
			__sync_fetch_and_add(&muted_st->ends, ENDS_PEER_RESET);
		return 0;
	}
	muted_st->is_closed = true;
	count_end(is_reset, dir == SL_INGRESS, muted_st->opened, muted_st->role);
	if (muted_st->is_open)
		send_muted_close(muted_st->id, is_reset, tcp->bytes_received, tcp->bytes_acked,
				 tcp->srtt_us >> 3, tcp->total_retrans);
	if (!muted_st->is_released)
		release_state();
	muted_st->is_released = true;
	return 1;
}

/* Handles a FIN without data, or an RST. */
static __always_inline void process_fin(struct __sk_buff *skb, struct sock_state *st,
					const struct segment *seg, __u8 dir)
{
	struct direction *d = &st->direction[dir];
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	bool is_reset = seg->tcp_flags & TCP_RST;
	__u32 next = d->next;

	if (st->start == START_MISSED)
		flush_volume(d);
	/* An end that receives data after its FIN sends an RST, behind that FIN. */
	if (is_reset && d->is_finished)
		next++;
	if (st->mute || st->is_closed)
		return;
	/* Bytes before it may have come out of order, or with the listener's socket. */
	if (dir == SL_INGRESS && seg->seq != next) {
		next = received_seq(skb, next);
		if (seg->seq != next)
			return;
		/* A single byte may be a FIN, which is not part of the stream. */
		if (st->is_open && next - (__u32)d->next > 1)
			d->reported_seq = next;
	}
	/* The socket accepts an RST in sequence only (RFC 5961 section 3). */
	if (seg->seq != next)
		return;
	/*
	 * The FIN of the client ends no request, so it needs no record. While another CPU still
	 * sends the segment before it, a record would report the rest of that as uncopied: then
	 * CLOSE tells the end.
	 */
	if (st->is_open && !is_reset && (dir != request_dir || st->role == SL_ROLE_UNKNOWN) &&
	    !(dir == SL_INGRESS && ingress_busy(st)))
		send_progress(st, dir, seg->seq, true);
	end_direction(skb, dir == SL_EGRESS, is_reset);
}

#endif
