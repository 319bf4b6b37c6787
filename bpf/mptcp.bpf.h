/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Multipath TCP (RFC 8684). A connection with one subflow is a TCP connection with additional
 * options, and is captured like any other. If a connection has several subflows, each of them
 * carries only a part of the stream, so all of them are muted.
 *
 * The SYN of an additional subflow contains the token of its connection, and passes before that
 * subflow carries data. The map first_subflows finds the first subflow by this token, and the SYN
 * mutes it. Additional subflows are muted when they are established. A connection whose handshake
 * was not seen is muted as well, since the number of its subflows is unknown.
 *
 * Segments with data of other connections execute none of this code.
 */
#ifndef SIDELIGHT_MPTCP_BPF_H
#define SIDELIGHT_MPTCP_BPF_H

#include <linux/errno.h>

#include "mptcp_token.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/*
 * Capacity of first_subflows. MPTCP connections beyond it are muted. The empty map takes 16 bytes
 * for each.
 */
#define MPTCP_CONNECTIONS 8192

/* Length of a TCP header whose only option is the timestamp. */
#define TCP_WITH_TIMESTAMPS 32

/* The role is part of the key because both ends of a connection may be observed. */
struct mptcp_key {
	__u32 token;
	__u32 role; /* enum sl_role */
};

struct first_subflow {
	__u64 id; /* of the connection, as in struct sock_state */
	struct bpf_sock_tuple tuple;
	__u32 tuple_size;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MPTCP_CONNECTIONS);
	__type(key, struct mptcp_key);
	__type(value, struct first_subflow);
} first_subflows SEC(".maps");

/* By socket: the key of its entry in first_subflows. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct mptcp_key);
} mptcp_keys SEC(".maps");

/* Set once, with the first entry of first_subflows: without it no look-up is needed. */
volatile __u32 has_first_subflows;

#define MPTCP_FOUND	      (1ull << 63)
#define MPTCP_SUBTYPE(option) ((__u32)((option) >> 32 & 0xf))

/*
 * Returns the MPTCP option of the packet as MPTCP_FOUND, its subtype and its second word, or 0 if
 * the packet has none. A global function, see bpf/README.md.
 */
__noinline __u64 find_mptcp_option(struct __sk_buff *skb)
{
	struct segment seg;
	struct tcp_words tcp;
	__u32 at = find_tcp(skb, &tcp);
	__u32 words[2];
	__u8 *option = (__u8 *)words;

	if (!at || !segment_parse(skb, &seg))
		return 0;
	at += sizeof(struct tcphdr);
	/* Enough for four options and the padding that aligns them; no stack sends more. */
	for (int i = 0; i < 16; i++) {
		if (at + 2 > seg.off || bpf_skb_load_bytes(skb, at, option, 2) || option[0] == 0)
			return 0;
		if (option[0] == MPTCP_OPTION)
			break;
		if (option[0] != 1 && option[1] < 2)
			return 0;
		at += option[0] == 1 ? 1 : option[1];
	}
	if (option[0] != MPTCP_OPTION || bpf_skb_load_bytes(skb, at, option, 4))
		return 0;
	/* An option without a second word has four bytes. */
	if (at + 8 > seg.off || bpf_skb_load_bytes(skb, at + 4, option + 4, 4))
		return MPTCP_FOUND | (__u64)(option[2] >> 4) << 32;
	return MPTCP_FOUND | (__u64)(option[2] >> 4) << 32 | bpf_ntohl(words[1]);
}

/*
 * Takes a SYN without data. If it opens an additional subflow, the first subflow of the connection
 * is muted. A global function, see bpf/README.md.
 */
__noinline __u32 mute_first_subflow(struct __sk_buff *skb, __u32 is_egress)
{
	struct mptcp_key key = {.role = is_egress ? SL_ROLE_CLIENT : SL_ROLE_SERVER};
	__u64 option = find_mptcp_option(skb);
	const struct first_subflow *first;
	struct bpf_sock_tuple tuple;
	struct sock_state *st;
	struct bpf_sock *sk;

	if (!(option & MPTCP_FOUND) || MPTCP_SUBTYPE(option) != MPTCP_JOIN)
		return 0;
	key.token = option;
	first = bpf_map_lookup_elem(&first_subflows, &key);
	if (!first)
		return 0;
	tuple = first->tuple;
	if (first->tuple_size == sizeof(tuple.ipv4))
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (st && st->id == first->id && !st->mute && !st->is_closed) {
		st->mute = SL_MUTE_MPTCP;
		send_mute(st->id, SL_MUTE_MPTCP);
	}
	bpf_sk_release(sk);
	return 1;
}

/* Removes the socket's entry from first_subflows when its connection has ended. */
static __always_inline void remove_first_subflow(struct bpf_sock *sk)
{
	struct mptcp_key *key = bpf_sk_storage_get(&mptcp_keys, sk, NULL, 0);

	if (!key)
		return;
	(void)bpf_map_delete_elem(&first_subflows, key); /* another CPU may have removed it */
	(void)bpf_sk_storage_delete(&mptcp_keys, sk);
}

/* Mutes a connection that has no struct sock_state. */
static __always_inline void mute_without_state(struct bpf_sock *sk, __u64 id, bool is_midstream)
{
	struct muted_state *muted_st;

	muted_st = bpf_sk_storage_get(&muted, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!muted_st) {
		count_exact(SL_C_LOST_STORAGE);
		return;
	}
	muted_st->id = id;
	muted_st->is_released = true;
	muted_st->is_midstream = is_midstream;
	send_mute(id, SL_MUTE_MPTCP);
}

/*
 * Mutes a connection that is older than this process if it uses MPTCP. A global function, see
 * bpf/README.md.
 */
__noinline __u32 mute_midstream(struct __sk_buff *skb, __u64 id)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk || !(find_mptcp_option(skb) & MPTCP_FOUND))
		return 0;
	mute_without_state(sk, id, true);
	return 1;
}

/* Working memory of compute_token(), one for each CPU. */
struct mptcp_hashing {
	struct mptcp_hash hash;
	__u32 is_busy; /* guards against a softirq that interrupts the computation on this CPU */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mptcp_hashing);
} mptcp_hashing SEC(".maps");

static __always_inline struct mptcp_hashing *find_hashing(void)
{
	const __u32 first = 0;

	return bpf_map_lookup_elem(&mptcp_hashing, &first);
}

/* A global function, so that the verifier checks one round and not all of them. */
__noinline __u32 hash_round(__u32 i)
{
	struct mptcp_hashing *w = find_hashing();

	if (!w)
		return 0;
	mptcp_hash_round(&w->hash, i);
	return 1;
}

/*
 * Computes the token of a key, of which both words are in network order. Returns false if this
 * program has interrupted another computation on the same CPU.
 */
static __always_inline bool compute_token(__u32 key_high, __u32 key_low, __u32 *ret_token)
{
	struct mptcp_hashing *w = find_hashing();

	if (!w || w->is_busy)
		return false;
	w->is_busy = true;
	mptcp_hash_begin(&w->hash, bpf_ntohl(key_high), bpf_ntohl(key_low));
	for (int i = 0; i < MPTCP_HASH_ROUNDS; i++)
		hash_round(i);
	*ret_token = mptcp_hash_end(&w->hash);
	*(volatile __u32 *)&w->is_busy = false;
	return true;
}

enum mptcp {
	MPTCP_NONE, /* the connection is ordinary TCP */
	MPTCP_FIRST_SUBFLOW, /* with a token by which additional subflows can be recognised */
	MPTCP_UNTRACKABLE, /* an additional subflow, or one whose token is unknown */
};

/*
 * Classifies a connection by the segment that establishes it: the ACK that reaches the server, or
 * the SYN-ACK that reaches the client. Both contain the server's key.
 */
static __always_inline enum mptcp classify_mptcp(struct bpf_sock_ops *ctx, __u8 role,
						 struct mptcp_key *ret_key)
{
	/* The helper reads the kind to search for from the buffer, and overwrites it. */
	__u32 option[6] = {MPTCP_OPTION};
	const __u8 *byte = (const __u8 *)option;
	bool is_server = role == SL_ROLE_SERVER;
	long len = bpf_load_hdr_opt(ctx, option, sizeof(option), 0);

	if (len == -ENOMSG)
		return MPTCP_NONE;
	/* A SYN with data (RFC 7413) establishes a connection before the keys are known. */
	if (len < (is_server ? 20 : 12) || byte[2] != (MPTCP_CAPABLE << 4 | MPTCP_VERSION))
		return MPTCP_UNTRACKABLE;
	ret_key->role = role;
	if (!compute_token(option[is_server ? 3 : 1], option[is_server ? 4 : 2], &ret_key->token))
		return MPTCP_UNTRACKABLE;
	return MPTCP_FIRST_SUBFLOW;
}

/* Adds a connection to first_subflows. Returns false if there is no room. */
static __always_inline bool add_first_subflow(struct bpf_sock *sk, const struct mptcp_key *key,
					      const struct tuple *t, __u64 id)
{
	struct first_subflow first;
	struct mptcp_key *stored;

	stored = bpf_sk_storage_get(&mptcp_keys, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!stored)
		return false;
	__builtin_memset(&first, 0, sizeof(first));
	first.id = id;
	first.tuple_size = t->family == 4 ? sizeof(first.tuple.ipv4) : sizeof(first.tuple.ipv6);
	fill_sock_tuple(t, &first.tuple);
	if (bpf_map_update_elem(&first_subflows, key, &first, BPF_ANY))
		return false;
	*stored = *key;
	has_first_subflows = true;
	return true;
}

#endif
