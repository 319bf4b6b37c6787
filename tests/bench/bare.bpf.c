/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What any capture of whole heads does for each segment with payload: finds what belongs to the
 * socket, says when it passed, and copies the first bytes to where user space could read them.
 * Nobody does, and two CPUs that copy at once may destroy each other's. Ours are measured against
 * it.
 *
 * All copies go to the same place, which stays in the cache; or each to its own, about as many as
 * sidelight has at most before it reads them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define COPIED 192 /* most bytes of a segment; a small request and its answer have less */

#define LINE	64 /* of a cache */
#define INGRESS 0
#define EGRESS	1

/* Each direction may have a CPU of its own, and does not wait for the other's. */
struct number {
	__u64 n;
	__u64 pad[LINE / sizeof(__u64) - 1];
};

struct state {
	struct number segments[2];
};

/* As long as the head of sidelight's own. */
struct record {
	__u64 time_ns;
	__u64 number;
	__u32 seq;
	__u32 ack;
	__u64 len;
	__u64 pad[2];
	__u8 data[COPIED];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct state);
} sockets SEC(".maps");

/* Of each direction; a power of two. */
#define RECORDS 1024

struct record copies[2][RECORDS] SEC(".data.copies");
volatile struct number records[2];
const volatile __u32 mask; /* places that are used, less one */

static __always_inline int copy_segment(struct __sk_buff *skb, int dir)
{
	struct segment seg;
	struct record *rec;
	struct bpf_sock *sk;
	struct state *st;

	if (!segment_parse(skb, &seg) || seg.len == 0)
		return 1;
	sk = skb->sk;
	if (!sk)
		return 1;
	st = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!st) {
		sk = bpf_sk_fullsock(sk);
		st = sk ? bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE)
			: NULL;
		if (!st)
			return 1;
	}
	rec = &copies[dir][records[dir].n++ & mask & (RECORDS - 1)];
	if (!load_bytes(skb, seg.off, rec->data, seg.len < COPIED ? seg.len : COPIED, COPIED))
		return 1;
	rec->number = st->segments[dir].n++;
	rec->seq = seg.seq;
	rec->ack = seg.ack;
	rec->len = seg.len;
	rec->pad[0] = rec->pad[1] = 0;
	/* TCP wrote into what it sends when that departs, which is when it passes here. */
	rec->time_ns = dir == EGRESS ? skb->tstamp : bpf_ktime_get_ns();
	return 1;
}

SEC("cgroup_skb/ingress")
int bare_ingress(struct __sk_buff *skb)
{
	return copy_segment(skb, INGRESS);
}

SEC("cgroup_skb/egress")
int bare_egress(struct __sk_buff *skb)
{
	return copy_segment(skb, EGRESS);
}
