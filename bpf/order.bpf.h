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
	return dir == SL_INGRESS || !st->is_confirmed;
}

/*
 * The direction's first bytes in HTTP/2 are at seq. While the other direction still scans a head,
 * in the same memory, it does not begin yet.
 */
static __always_inline void init_parser_once(struct sock_state *st, __u8 dir, __u32 seq)
{
	bpf_spin_lock(&st->lock);
	if (st->direction[dir].parser_state == PARSER_UNUSED && !st->is_scanning)
		init_parser(st, dir, seq);
	bpf_spin_unlock(&st->lock);
}

static __always_inline bool try_parser(struct direction *d, const struct frame_parser *p, __u32 seq,
				       bool is_received)
{
	__s32 missing = seq - p->at_seq;

	if (d->parser_state != PARSER_IDLE || missing < 0 ||
	    (missing > 0 && !is_received && !is_skipped_payload(p, seq, 0)))
		return false;
	d->parser_state = PARSER_BUSY;
	return true;
}

/*
 * May the caller walk the direction's frames from seq on? Not while another does, nor before the
 * place; and behind the place only if what is between was seen (is_received), or is payload.
 * Without it, struct frame_parser is not to be touched; with it, until release_parser(). The lock
 * also shows what the other CPU has written, where stores may pass each other.
 */
static __always_inline bool acquire_parser(struct sock_state *st, __u8 dir, __u32 seq,
					   bool is_received)
{
	struct frame_parser *p = &st->parser[dir];
	struct direction *d = &st->direction[dir];
	bool is_ours;

	if (!needs_lock(st, dir))
		return try_parser(d, p, seq, is_received);
	bpf_spin_lock(&st->lock);
	is_ours = try_parser(d, p, seq, is_received);
	bpf_spin_unlock(&st->lock);
	return is_ours;
}

/* Who begins at seq from now on sends behind all that was sent before this. */
static __always_inline void release_parser(struct sock_state *st, __u8 dir, __u32 seq)
{
	struct direction *d = &st->direction[dir];

	if (!needs_lock(st, dir)) {
		d->parser_state = st->is_http2 ? PARSER_IDLE : PARSER_UNUSED;
		st->parser[dir].at_seq = seq;
		return;
	}
	bpf_spin_lock(&st->lock);
	/* The other direction may have found that it is not HTTP/2. */
	d->parser_state = st->is_http2 ? PARSER_IDLE : PARSER_UNUSED;
	st->parser[dir].at_seq = seq;
	bpf_spin_unlock(&st->lock);
}

#endif
