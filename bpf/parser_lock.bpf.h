/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Exclusive use of a direction's frame parser, while two CPUs have neighbouring segments of it.
 *
 * Egress segments come one after the other, under the socket's lock. Ingress segments come before
 * that lock is taken (tcp_v4_rcv()). On loopback, or between Pods of one node, a sender's process
 * hands in a segment on one CPU, while acknowledgements that reach it on another CPU hand in the
 * next. The frame boundary behind a segment is known only when the segment is parsed, and no
 * program waits for that: the later segment is sent whole and marked as out of order
 * (SL_F_OUT_OF_ORDER). The parser then has to synchronise again behind it, unless the bytes are
 * payload that is skipped.
 */
#ifndef SIDELIGHT_PARSER_LOCK_BPF_H
#define SIDELIGHT_PARSER_LOCK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "frame_parser.bpf.h"
#include "state.bpf.h"

/*
 * Egress already has the socket's lock. It needs st->lock only until HTTP/2 is confirmed, since
 * either direction may still find that the connection is not HTTP/2, and return the memory of both
 * parsers to the HTTP/1 scan.
 */
static __always_inline bool needs_lock(const struct sock_state *st, __u8 dir)
{
	return dir == SL_INGRESS || !st->is_confirmed;
}

/*
 * Initialises the parser at seq, the direction's first byte of HTTP/2, unless the other direction
 * still scans an HTTP/1 head in the same memory.
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
 * Tries to acquire the direction's parser for the bytes from seq on. This fails while another CPU
 * has it, and for bytes before at_seq. For bytes behind at_seq it succeeds if those in between were
 * received (is_received), or are payload that is skipped. Without the parser, the caller must not
 * access struct frame_parser; with it, only until release_parser(). The lock is also the memory
 * barrier that makes the last owner's writes visible.
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

/* Releases the parser, which has parsed all bytes before seq. */
static __always_inline void release_parser(struct sock_state *st, __u8 dir, __u32 seq)
{
	struct direction *d = &st->direction[dir];

	if (!needs_lock(st, dir)) {
		d->parser_state = st->is_http2 ? PARSER_IDLE : PARSER_UNUSED;
		st->parser[dir].at_seq = seq;
		return;
	}
	bpf_spin_lock(&st->lock);
	/* The other direction may have found that the connection is not HTTP/2. */
	d->parser_state = st->is_http2 ? PARSER_IDLE : PARSER_UNUSED;
	st->parser[dir].at_seq = seq;
	bpf_spin_unlock(&st->lock);
}

#endif
