/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Two CPUs at neighbouring segments of one direction.
 *
 * Egress segments come one after the other, under the socket's lock. Ingress
 * segments come before it is taken (tcp_v4_rcv()): on loopback, or between Pods
 * of one node, a sender's process hands them in on one CPU while the
 * acknowledgements that reach it on another hand in the next. HTTP/2 cannot do
 * with that as HTTP/1 can, for where frames start behind a segment is known only at its
 * end. So the later one waits: it would have to wait for the socket next.
 */
#ifndef SIDELIGHT_ORDER_BPF_H
#define SIDELIGHT_ORDER_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "frames.bpf.h"
#include "state.bpf.h"

/* More than a segment of 64 KiB takes; one that is really lost costs this, once. */
#define AWAIT_NS    (20ull * 1000)
#define AWAIT_STEPS 32
#define PAUSE_STEPS 32 /* some 20 ns each */

enum await {
	AWAIT_SEEN, /* all before seq was seen */
	AWAIT_WALKED, /* and its frames were walked, and its records sent */
};

/* Lets time pass; returns it. A function of its own saves the verifier a loop in a loop. */
__noinline __u64 pause(void)
{
	__u64 now = 0;

	for (int i = 0; i < PAUSE_STEPS; i++)
		now = bpf_ktime_get_ns();
	return now;
}

/*
 * Waits for what other CPUs are to do up to seq of ingress; returns whether it is done. The other
 * one may be at the same map value: all of it is read anew behind this. A global function, for the
 * verifier takes those by themselves.
 */
__noinline __u32 await_ingress(struct __sk_buff *skb, __u32 seq, __u32 what)
{
	__u64 start = bpf_ktime_get_ns();
	struct sock_state *st = state_of(skb);

	if (!st)
		return 0;
	for (int i = 0; i < AWAIT_STEPS; i++) {
		__u32 at;

		if (what == AWAIT_SEEN)
			at = *(volatile __u64 *)&st->half[SL_INGRESS].next;
		else
			at = *(volatile __u32 *)&st->frames[SL_INGRESS].at_seq;
		if ((__s32)(at - seq) >= 0)
			return 1;
		if (pause() - start > AWAIT_NS)
			break;
	}
	return 0;
}

/* What has not come by now may come late: who reads what follows is to wait for it. */
static __always_inline void note_missing(struct half *h, __u8 dir, __u32 from, __u32 to)
{
	if (dir != SL_INGRESS || has_hole(h) || (__s32)(to - from) <= 0)
		return;
	h->hole_lo = from;
	h->hole_hi = to;
}

/* The lock is for ingress: of egress, the socket has one. */
static __always_inline void lock_walk(struct sock_state *st, __u8 dir)
{
	if (dir == SL_INGRESS)
		bpf_spin_lock(&st->walk_lock);
}

static __always_inline void unlock_walk(struct sock_state *st, __u8 dir)
{
	if (dir == SL_INGRESS)
		bpf_spin_unlock(&st->walk_lock);
}

/* The direction's first bytes in HTTP/2 are at seq. */
static __always_inline void begin_once(struct sock_state *st, __u8 dir, __u32 seq)
{
	lock_walk(st, dir);
	if (st->half[dir].walk == WALK_UNBEGUN)
		begin_direction(st, dir, seq);
	unlock_walk(st, dir);
}

/*
 * May the caller walk the direction's frames from seq on? Not while another does, nor before the
 * place. Without it, struct frames is not to be touched; with it, until end_walk(). The lock also
 * shows what the other CPU has written, where stores may pass each other.
 */
static __always_inline bool begin_walk(struct sock_state *st, __u8 dir, __u32 seq)
{
	struct frames *f = &st->frames[dir];
	struct half *h = &st->half[dir];
	bool is_ours;

	lock_walk(st, dir);
	is_ours = h->walk == WALK_IDLE && (__s32)(seq - f->at_seq) >= 0;
	if (is_ours)
		h->walk = WALK_BUSY;
	unlock_walk(st, dir);
	return is_ours;
}

/* Who waits for seq goes on: what it sends comes behind all that was sent before this. */
static __always_inline void end_walk(struct sock_state *st, __u8 dir, __u32 seq)
{
	lock_walk(st, dir);
	st->half[dir].walk = WALK_IDLE;
	st->frames[dir].at_seq = seq;
	unlock_walk(st, dir);
}

#endif
