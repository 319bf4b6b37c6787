/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connections that are older than this process, and are followed from some segment on.
 */
#ifndef SIDELIGHT_MIDSTREAM_BPF_H
#define SIDELIGHT_MIDSTREAM_BPF_H

#include "mptcp.bpf.h"
#include "packet.bpf.h"
#include "segment.bpf.h"
#include "state.bpf.h"
#include "window.bpf.h"

/* Is the segment the next one that the socket expects, and does it acknowledge data that was sent?
 */
static __always_inline bool is_in_sequence(struct bpf_sock *sk, const struct segment *seg)
{
	struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);

	return tcp && tcp->rcv_nxt == seg->seq && tcp->snd_nxt - seg->ack < ACK_BEHIND;
}

/* The id of a connection that is older than this process. */
static __always_inline __u64 midstream_id(const struct segment *seg, __u8 dir)
{
	/* Egress first: on loopback the other end may join with this very segment. */
	if (dir == SL_EGRESS)
		return (__u64)seg->seq << 32 | seg->ack;
	return (__u64)seg->ack << 32 | seg->seq;
}

/* Creates the state of a connection that is older than this process. NULL: it is not followed. */
static __always_inline struct sock_state *
create_midstream(struct __sk_buff *skb, struct bpf_sock *sk, const struct segment *seg, __u8 dir)
{
	__u64 id = midstream_id(seg, dir);
	struct sock_state *st;

	if (mute_midstream(skb, id))
		return NULL;
	st = create_state(sk);
	if (!st)
		return NULL;
	st->id = id;
	init_direction(&st->direction[dir], seg->seq, seg->ack);
	init_direction(&st->direction[!dir], seg->ack, seg->seq);
	set_start(st, START_MISSED);
	return st;
}

#endif
