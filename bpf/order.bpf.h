/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Two CPUs at neighbouring segments of one direction.
 *
 * Egress segments come one after the other, under the socket's lock. Ingress
 * segments come before it is taken (tcp_v4_rcv()): on loopback, or between Pods
 * of one node, a sender's process hands them in on one CPU while the
 * acknowledgements that reach it on another hand in the next. Where frames start
 * behind a segment is known only at its end. Nobody waits for that: the later
 * segment is sent whole and out of order (SL_F_AHEAD), and those behind it find
 * their place again by a question, unless the bytes between are a DATA payload.
 */
#ifndef SIDELIGHT_ORDER_BPF_H
#define SIDELIGHT_ORDER_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "frames.bpf.h"
#include "state.bpf.h"

/* The lock is for ingress: of egress, the socket has one. */
static __always_inline void lock_walk(struct sock_state *st, __u8 dir)
{
	if (dir == SL_INGRESS)
		bpf_spin_lock(&st->lock);
}

static __always_inline void unlock_walk(struct sock_state *st, __u8 dir)
{
	if (dir == SL_INGRESS)
		bpf_spin_unlock(&st->lock);
}

/*
 * The direction's first bytes in HTTP/2 are at seq. While the other direction still scans a head,
 * in the same memory, it does not begin yet.
 */
static __always_inline void begin_once(struct sock_state *st, __u8 dir, __u32 seq)
{
	bpf_spin_lock(&st->lock);
	if (st->half[dir].walk == WALK_UNBEGUN && !st->is_scanning)
		begin_direction(st, dir, seq);
	bpf_spin_unlock(&st->lock);
}

/*
 * May the caller walk the direction's frames from seq on? Not while another does, nor before the
 * place; and behind the place only if what is between was seen (is_settled), or is payload.
 * Without it, struct frames is not to be touched; with it, until end_walk(). The lock also
 * shows what the other CPU has written, where stores may pass each other.
 */
static __always_inline bool begin_walk(struct sock_state *st, __u8 dir, __u32 seq, bool is_settled)
{
	struct frames *f = &st->frames[dir];
	struct half *h = &st->half[dir];
	__s32 missing;
	bool is_ours;

	lock_walk(st, dir);
	missing = seq - f->at_seq;
	is_ours = h->walk == WALK_IDLE && missing >= 0 &&
		  (missing == 0 || is_settled || is_payload(f, seq, 0));
	if (is_ours)
		h->walk = WALK_BUSY;
	unlock_walk(st, dir);
	return is_ours;
}

/* Who begins at seq from now on sends behind all that was sent before this. */
static __always_inline void end_walk(struct sock_state *st, __u8 dir, __u32 seq)
{
	lock_walk(st, dir);
	st->half[dir].walk = WALK_IDLE;
	st->frames[dir].at_seq = seq;
	unlock_walk(st, dir);
}

#endif
