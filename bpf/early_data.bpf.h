/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Data that is seen with the listener's socket, before the child socket exists. The program that
 * sends it is sl_early.
 */
#ifndef SIDELIGHT_EARLY_DATA_BPF_H
#define SIDELIGHT_EARLY_DATA_BPF_H

#include "http1_head.bpf.h"
#include "packet.bpf.h"
#include "state.bpf.h"

/* Stores that the preface was seen, since the child socket will not see it. */
static __always_inline void store_preface(struct __sk_buff *skb, const struct segment *seg,
					  __u64 id)
{
	struct sl_verdict v = {.is_http2 = true};
	__u64 first;

	if (seg->len >= sizeof(first) &&
	    !bpf_skb_load_bytes(skb, seg->off, &first, sizeof(first)) && first == WORD_PRI)
		bpf_map_update_elem(&verdicts, &id, &v, BPF_NOEXIST);
}

/*
 * Has the segment a connection: a handshake in progress, or already the child socket? Otherwise it
 * may be forged, and the listener answers with a reset.
 */
static __always_inline bool has_connection(struct __sk_buff *skb, const struct tuple *t)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	bool is_listener;

	fill_sock_tuple(t, &tuple);
	if (t->family == 4)
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	is_listener = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return !is_listener;
}

#endif
