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

/*
 * Of egress, the socket has a lock: ours is needed only while either direction may find that it is
 * not HTTP/2, and leave the memory of both to the scans of HTTP/1.
 */
static __always_inline bool needs_lock(const struct sock_state *st, __u8 dir)
{
	return dir == SL_INGRESS || !st->is_sure;
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

static __always_inline bool take_walk(struct half *h, const struct frames *f, __u32 seq,
				      bool is_settled)
{
	__s32 missing = seq - f->at_seq;

	if (h->walk != WALK_IDLE || missing < 0 ||
	    (missing > 0 && !is_settled && !is_payload(f, seq, 0)))
		return false;
	h->walk = WALK_BUSY;
	return true;
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
	bool is_ours;

	if (!needs_lock(st, dir))
		return take_walk(h, f, seq, is_settled);
	bpf_spin_lock(&st->lock);
	is_ours = take_walk(h, f, seq, is_settled);
	bpf_spin_unlock(&st->lock);
	return is_ours;
}

/* Who begins at seq from now on sends behind all that was sent before this. */
static __always_inline void end_walk(struct sock_state *st, __u8 dir, __u32 seq)
{
	struct half *h = &st->half[dir];

	if (!needs_lock(st, dir)) {
		h->walk = st->is_http2 ? WALK_IDLE : WALK_UNBEGUN;
		st->frames[dir].at_seq = seq;
		return;
	}
	bpf_spin_lock(&st->lock);
	/* The other direction may have found that it is not HTTP/2. */
	h->walk = st->is_http2 ? WALK_IDLE : WALK_UNBEGUN;
	st->frames[dir].at_seq = seq;
	bpf_spin_unlock(&st->lock);
}

#endif
