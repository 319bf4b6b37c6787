/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connections that are established and closed: the callbacks of sock_ops.
 */
#ifndef SIDELIGHT_SOCKOPS_BPF_H
#define SIDELIGHT_SOCKOPS_BPF_H

#include "fastopen.bpf.h"
#include "mptcp.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "segment.bpf.h"
#include "state.bpf.h"

static __always_inline void tuple_of_sock(struct bpf_sock_ops *ctx, struct tuple *t)
{
	/* volatile: the verifier accepts only constant offsets from ctx. */
	volatile struct bpf_sock_ops *c = ctx;

	__builtin_memset(t, 0, sizeof(*t));
	t->local_port = c->local_port;
	t->remote_port = bpf_ntohl(c->remote_port);
	t->family = 4;
	if (c->family != AF_INET6) {
		t->local_addr[0] = c->local_ip4;
		t->remote_addr[0] = c->remote_ip4;
		return;
	}
	t->local_addr[0] = c->local_ip6[0];
	t->local_addr[1] = c->local_ip6[1];
	t->local_addr[2] = c->local_ip6[2];
	t->local_addr[3] = c->local_ip6[3];
	t->remote_addr[0] = c->remote_ip6[0];
	t->remote_addr[1] = c->remote_ip6[1];
	t->remote_addr[2] = c->remote_ip6[2];
	t->remote_addr[3] = c->remote_ip6[3];
	t->family = 6;
	unmap_tuple(t);
}

static __always_inline void request_state_callbacks(struct bpf_sock_ops *ctx)
{
	/* Keeps the flags that other programs of the cgroup have set. */
	(void)bpf_sock_ops_cb_flags_set(ctx, (int)ctx->bpf_sock_ops_cb_flags |
						     BPF_SOCK_OPS_STATE_CB_FLAG);
}

/*
 * Decides whether a connection that was established with TCP options is captured. Returns false if
 * it is a subflow of an MPTCP connection that has, or may have, several; then it is muted. A global
 * function, see bpf/README.md.
 */
__noinline __u32 accept_mptcp(struct bpf_sock_ops *ctx, __u32 role, __u64 id)
{
	struct bpf_sock *sk = ctx->sk;
	struct mptcp_key key;
	struct tuple t;

	if (!sk)
		return true;
	switch (classify_mptcp(ctx, role, &key)) {
	case MPTCP_NONE:
		return true;
	case MPTCP_FIRST_SUBFLOW:
		tuple_of_sock(ctx, &t);
		if (add_first_subflow(sk, &key, &t, id))
			return true;
		break;
	case MPTCP_UNTRACKABLE:
		break;
	}
	mute_without_state(sk, id, false);
	return false;
}

/* Has the segment that establishes the connection TCP options besides the timestamp? */
static __always_inline bool has_more_options(struct bpf_sock_ops *ctx)
{
	void *data = (void *)(long)ctx->skb_data;

	return data + TCP_WITH_TIMESTAMPS + 1 <= (void *)(long)ctx->skb_data_end;
}

static __always_inline void on_established(struct bpf_sock_ops *ctx, __u8 role)
{
	/* A client's socket requested them in TCP_CONNECT_CB, before it was established. */
	bool had_callbacks =
		role == SL_ROLE_CLIENT && ctx->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG;
	struct bpf_sock *sk = ctx->sk;
	struct sock_state *st;
	struct tuple t;
	__u64 id;

	if (role == SL_ROLE_SERVER)
		count_exact(SL_C_ACCEPTED);
	else
		count_exact(SL_C_CONNECTED);
	/* The kernel's first sample, which the handshake has given. */
	if (ctx->srtt_us)
		count_handshake(role, ctx->srtt_us >> 3);
	request_state_callbacks(ctx);
	if (!sk)
		return;
	tuple_of_sock(ctx, &t);
	id = tuple_id(&t, ctx->snd_nxt);
	if (has_more_options(ctx) && !accept_mptcp(ctx, role, id))
		return;
	st = create_state(sk);
	if (!st)
		return;
	st->id = id;
	st->opened = coarse_time();
	st->role = role;
	st->ends = had_callbacks ? ENDS_ESTABLISHED : 0;
	init_direction(&st->direction[SL_INGRESS], ctx->rcv_nxt, ctx->snd_nxt);
	init_direction(&st->direction[SL_EGRESS], ctx->snd_nxt, ctx->rcv_nxt);
	if (has_syn_data)
		use_syn_data(st, &t);
	set_start(st, START_SEEN);
}

static __always_inline void on_muted_closed(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
					    const struct muted_state *muted_st, bool is_reset)
{
	if (muted_st->is_open)
		send_muted_close(muted_st->id, is_reset, ctx->bytes_received, ctx->bytes_acked,
				 ctx->srtt_us >> 3, ctx->total_retrans);
	if (!muted_st->is_released)
		release_state();
	(void)bpf_sk_storage_delete(&muted, sk); /* it exists */
}

/* Was the end reported when the last segment passed? Then the storage is freed with the socket. */
static __always_inline bool is_close_reported(const struct sock_state *st,
					      const struct muted_state *muted_st)
{
	return (st && st->is_closed && st->start != START_MISSED) ||
	       (muted_st && muted_st->is_closed);
}

/* Was OPEN sent? A connection whose only data the listener's socket had gets it at its end. */
static __always_inline bool is_open_at_close(struct bpf_sock_ops *ctx, struct sock_state *st)
{
	struct tuple t;

	if (st->is_open)
		return true;
	if (!ctx->bytes_received || st->role != SL_ROLE_SERVER || st->mute)
		return false;
	tuple_of_sock(ctx, &t);
	return send_open(&t, st->id, st->role, 0, st->direction[SL_INGRESS].first_seq,
			 st->direction[SL_EGRESS].first_seq);
}

static __always_inline void on_followed_closed(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
					       struct sock_state *st, bool is_reset)
{
	if (st->is_closed)
		return;
	if (st->direction[SL_INGRESS].order)
		confirm_out_of_order(st, data_end(st, BPF_TCP_CLOSE, ctx->rcv_nxt));
	flush_volume(&st->direction[SL_INGRESS]);
	flush_volume(&st->direction[SL_EGRESS]);
	if (is_open_at_close(ctx, st)) {
		st->is_closed = true;
		send_close(st, is_reset, ctx->bytes_received, ctx->bytes_acked, ctx->srtt_us >> 3,
			   ctx->total_retrans);
	}
	/* The socket may live long, if the program does not close it. */
	(void)bpf_sk_storage_delete(&socks, sk); /* it exists */
	release_state();
}

static __always_inline void on_closed(struct bpf_sock_ops *ctx, __u32 old)
{
	struct muted_state *muted_st = NULL;
	struct bpf_sock *sk = ctx->sk;
	struct sock_state *st = NULL;
	bool is_reset;

	if (old == BPF_TCP_SYN_SENT || old == BPF_TCP_SYN_RECV) {
		if (old == BPF_TCP_SYN_SENT)
			count_exact(SL_C_CONNECT_FAILED);
		return;
	}
	/* An orderly end passes LAST_ACK, CLOSING or FIN_WAIT2. */
	is_reset =
		old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT || old == BPF_TCP_FIN_WAIT1;
	if (sk)
		st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (sk && !st)
		muted_st = bpf_sk_storage_get(&muted, sk, NULL, 0);
	if (sk && has_first_subflows)
		remove_first_subflow(sk);
	if (is_close_reported(st, muted_st))
		return;
	if (st) {
		count_end(is_reset, st->ends & ENDS_PEER_RESET, st->opened, st->role);
		on_followed_closed(ctx, sk, st, is_reset);
	} else if (muted_st) {
		count_end(is_reset, muted_st->ends & ENDS_PEER_RESET, muted_st->opened,
			  muted_st->role);
		on_muted_closed(ctx, sk, muted_st, is_reset);
	} else {
		count_end(is_reset, false, 0, 0);
	}
}

/* Counts a state callback of the connection, for expects_callback(). */
static __always_inline void count_callback(struct bpf_sock *sk, __u32 ends)
{
	struct muted_state *muted_st;
	struct sock_state *st;

	if (!sk)
		return;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (st) {
		__sync_fetch_and_add(&st->ends, ends);
		return;
	}
	muted_st = bpf_sk_storage_get(&muted, sk, NULL, 0);
	if (muted_st)
		__sync_fetch_and_add(&muted_st->ends, ends);
}

static __always_inline void on_state(struct bpf_sock_ops *ctx, __u32 old, __u32 state)
{
	__u32 ends = 0;

	if (state == BPF_TCP_FIN_WAIT1 || state == BPF_TCP_LAST_ACK)
		ends = ENDS_CLOSING;
	else if (state == BPF_TCP_ESTABLISHED && old == BPF_TCP_SYN_RECV)
		ends = ENDS_ESTABLISHED;
	if (ends)
		count_callback(ctx->sk, ends);
	else if (state == BPF_TCP_CLOSE)
		on_closed(ctx, old);
}

#endif
