/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ingress segments out of order: those that leave a hole, and those that fill
 * one. A hole is [hole_lo, hole_hi) of its half. There is one; where there were
 * several, it has islands that were seen, and that may be sent again.
 */
#ifndef SIDELIGHT_HOLE_BPF_H
#define SIDELIGHT_HOLE_BPF_H

#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

static __always_inline bool is_for_hole(const struct half *h, const struct segment *seg)
{
	return has_hole(h) && (__s32)(seg->seq - h->hole_hi) < 0 &&
	       (__s32)(seg->seq + seg->len - h->hole_lo) > 0;
}

/* How far the socket has received in order; `otherwise` if it does not tell. */
static __always_inline __u32 received_seq(struct __sk_buff *skb, __u32 otherwise)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;

	return tcp ? tcp->rcv_nxt : otherwise;
}

/* The socket has what lies behind the hole: there is none, whether its bytes were seen or not. */
static __always_inline void close_hole(struct __sk_buff *skb, struct half *h)
{
	if ((__s32)(received_seq(skb, h->hole_lo) - h->hole_hi) >= 0)
		h->hole_lo = h->hole_hi;
}

/*
 * Ingress bytes beyond next: those between may still come, but what the socket has of them was
 * seen on the listener's socket.
 */
static __always_inline void open_hole(struct __sk_buff *skb, struct half *h, __u32 seq)
{
	__u32 lo = h->next;
	__u32 received = received_seq(skb, lo);

	if (!has_hole(h))
		h->hole_lo = (__s32)(received - lo) > 0 ? received : lo;
	h->hole_hi = seq;
}

/* A segment with a part of the hole is about to be told of. */
static __always_inline void shrink_hole(struct half *h, const struct segment *seg)
{
	__u32 end = seg->seq + seg->len;

	if ((__s32)(seg->seq - h->hole_lo) <= 0)
		h->hole_lo = end;
	else if ((__s32)(end - h->hole_hi) >= 0)
		h->hole_hi = seg->seq;
}

/*
 * Up to where all that was not told of needs no telling. Not to the end of what was seen, for
 * another CPU may be about to send it.
 */
static __always_inline __u32 settled_seq(const struct sock_state *st)
{
	const struct half *h = &st->half[SL_INGRESS];
	__u64 next = h->next;

	if (st->is_http2) {
		return h->walk == WALK_UNBEGUN ? h->told_seq : st->frames[SL_INGRESS].at_seq;
	}
	if (h->skip_to >= next || (h->budget == 0 && !h->at_start))
		return next;
	/* Where the last body that was skipped ended, unless that is long ago, or never was. */
	return next - h->skip_to < 1u << 30 ? h->skip_to : h->told_seq;
}

/*
 * The segment leaves a hole before it. Then what it has goes the ordinary way: as the next bytes,
 * but not as the first ones of a turn, nor of a message.
 */
static __always_inline void leave_hole(struct __sk_buff *skb, struct sock_state *st,
				       const struct segment *seg)
{
	struct half *h = &st->half[SL_INGRESS];
	__u32 settled = settled_seq(st);

	/* What was skipped before the hole is known to be body. */
	if ((__s32)(settled - h->told_seq) > 0)
		send_progress(st, SL_INGRESS, settled, false);
	open_hole(skb, h, seg->seq);
	h->next += seg->seq - (__u32)h->next;
	h->told_seq = seg->seq;
	h->at_start = false;
	h->is_turn = false;
	if (h->turn_ack != h->ack) {
		h->turn_ack = h->ack;
		h->budget = TURN_BUDGET;
	}
}

/* Records of what fills a hole that one run of a program sends. */
#define FILL_RECORDS 16

/*
 * Sends one record of n bytes below next, as they are. Returns how many are in it; 0: they are
 * lost, which is counted. A global function: the verifier takes it once, and not for each record.
 */
__noinline __u32 fill_once(struct __sk_buff *skb, __u32 off, __u32 seq, __u32 n)
{
	struct sock_state *st = state_of(skb);
	const struct half *h;

	if (!st)
		return 0;
	h = &st->half[SL_INGRESS];
	return send_raw(skb, st->id, has_hole(h) ? SL_F_HOLE : 0, off, seq, n, h->ack, false);
}

/*
 * The segment's bytes below next are sent as they are, of which *done were before. True: not all of
 * them yet.
 */
static __always_inline bool fill_hole(struct __sk_buff *skb, struct sock_state *st,
				      const struct segment *seg, __u32 *done)
{
	struct half *h = &st->half[SL_INGRESS];
	__u32 n = (__u32)h->next - seg->seq;
	__u32 sent;

	if (n > seg->len)
		n = seg->len;
	for (int i = 0; i < FILL_RECORDS && *done < n; i++) {
		sent = fill_once(skb, seg->off + *done, seg->seq + *done, n - *done);
		if (!sent)
			return false;
		/* Its record is in the ring before others go there as if the hole was none. */
		if (*done == 0)
			shrink_hole(h, seg);
		*done += sent;
	}
	return *done < n;
}

#endif
