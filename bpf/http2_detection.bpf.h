/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Detection of HTTP/2: whether a connection uses it, and how much is copied until that is known.
 *
 * A connection becomes a candidate (is_http2) with the start of the client's preface, and with
 * first bytes of other kinds: if the server sends first, after a 101, or if the connection is older
 * than this process. Until HTTP/2 is confirmed, no bytes are reported as body, and only a limited
 * number is copied.
 *
 *     not is_http2 --> is_http2 --> is_http2, is_confirmed
 *                          |        by the preface, or by a verdict of user space
 *                          v
 *                      not is_http2, or muted: by other bytes, or by too many of them
 */
#ifndef SIDELIGHT_HTTP2_DETECTION_BPF_H
#define SIDELIGHT_HTTP2_DETECTION_BPF_H

#include "frame_parser.bpf.h"
#include "frame_sync.bpf.h"
#include "http1_head.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/*
 * Bytes of a candidate that are copied. Each direction has a budget of its own, since one that
 * carries large bodies contains no evidence while the other has a frame header in each segment.
 */
#define CANDIDATE_BUDGET (64u << 10)
/*
 * How long a candidate with a spent budget waits for a verdict. A busy connection spends its budget
 * before user space reads any of it.
 */
#define CANDIDATE_WAIT (200u * 1000 * 1000 / (__u32)SL_TIME_UNIT_NS)

static __always_inline void start_candidate(struct sock_state *st)
{
	st->candidate_budget[SL_INGRESS] = CANDIDATE_BUDGET;
	st->candidate_budget[SL_EGRESS] = CANDIDATE_BUDGET;
	st->candidate_time = coarse_time();
}

/* Is it HTTP/2 by a verdict: of user space, or of the program that saw the listener's socket? */
static __always_inline bool is_http2_by_verdict(const struct sock_state *st)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);

	return v && v->is_http2;
}

/* Nothing of the ingress direction was seen with its own socket: was the preface, before that? */
static __always_inline void use_early_preface(struct sock_state *st)
{
	if (st->is_http2 || !is_http2_by_verdict(st))
		return;
	start_candidate(st);
	st->was_candidate = true;
	st->is_confirmed = true;
	st->is_http2 = true;
}

/* A frame header of SETTINGS: less than 256 bytes, no flags, stream 0. */
static __always_inline bool is_settings_head(__u64 first, __u32 n)
{
	return n >= FRAME_HEAD && (first & ~WORD(0, 0, 0xff, 0, 0, 0, 0, 0)) ==
					  WORD(0, 0, 0, FRAME_SETTINGS, 0, 0, 0, 0);
}

/*
 * A frame header at the start of a flight, on a connection of unknown role. Text has a first byte
 * that would be a far too large length.
 */
static __always_inline bool may_be_frame_head(__u64 first)
{
	return (first & 0xff) <= 8 && (first >> 24 & 0xff) <= FRAME_LAST;
}

/*
 * May HTTP/2 begin with the first n bytes of a flight, at seq? Then the connection becomes a
 * candidate, and send_http2_slice() takes these bytes.
 */
static __always_inline bool starts_http2(struct sock_state *st, __u8 dir, __u32 seq, __u64 first,
					 __u32 n)
{
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	__u64 mask = n < 8 ? (1ull << (n & 7) * 8) - 1 : ~0ull;
	const struct direction *d = &st->direction[dir];

	if (((first ^ WORD_PRI) & mask) == 0 && (st->role ? dir == request_dir : n >= 8)) {
		/* The end that sends the preface is the client, whoever opened the connection. */
		if (!st->role)
			st->role = dir == SL_EGRESS ? SL_ROLE_CLIENT : SL_ROLE_SERVER;
	} else if (st->was_candidate) {
		/* The verdict may have come after the connection was rejected. */
		if (!is_http2_by_verdict(st))
			return false;
	} else if (st->role && dir != request_dir) {
		if (!is_settings_head(first, n) || d->first_seq != seq)
			return false;
		if (is_http2_by_verdict(st))
			st->is_confirmed = true;
	} else if (st->role || !may_be_frame_head(first)) {
		return false;
	}
	start_candidate(st);
	st->was_candidate = true;
	st->is_http2 = true;
	return true;
}

/*
 * Makes the connection a candidate after a 101 whose head ends at server_seq; 0: the end is
 * unknown. The parsers are initialised later, with their first bytes (init_parser_once()), since
 * the other direction may still scan a head in their memory.
 */
static __always_inline void upgrade_to_http2(struct sock_state *st, __u8 dir, __u32 server_seq)
{
	st->direction[dir].skip_to = server_seq;
	start_candidate(st);
	st->upgrade_by = 1 + dir;
	bpf_spin_lock(&st->lock);
	st->is_http2 = true;
	bpf_spin_unlock(&st->lock);
}

/*
 * Ends the candidate; the caller owns the parser of dir. If the other direction's parser is busy,
 * its owner keeps it, and until it is released no head is scanned in its memory. Returns false if
 * the other direction has confirmed HTTP/2.
 */
static __always_inline bool reject_http2(struct sock_state *st, __u8 dir)
{
	bool is_over;

	bpf_spin_lock(&st->lock);
	is_over = !st->is_confirmed;
	if (is_over) {
		st->is_http2 = false;
		for (int i = 0; i < 2; i++) {
			st->direction[i].is_pipelined = false;
			st->direction[i].is_body_expected = false;
		}
		st->direction[dir].parser_state = PARSER_UNUSED;
		if (st->direction[!dir].parser_state == PARSER_IDLE)
			st->direction[!dir].parser_state = PARSER_UNUSED;
	}
	bpf_spin_unlock(&st->lock);
	return is_over;
}

/* Returns to HTTP/1, or mutes after a 101. Returns false if it is HTTP/2, see reject_http2(). */
static __always_inline bool leave_http2(struct __sk_buff *skb, struct sock_state *st, __u8 dir)
{
	struct direction *d = &st->direction[dir];

	if (!reject_http2(st, dir))
		return false;
	if (st->upgrade_by) {
		mute(skb, st, SL_MUTE_UPGRADE);
		return true;
	}
	d->flight_ack = d->ack;
	d->budget = FLIGHT_BUDGET;
	d->is_flight_start = true;
	return true;
}

/* Compares the beginning of the preface, as far as its bytes are here. */
static __always_inline bool compare_preface(struct __sk_buff *skb, struct sock_state *st,
					    struct frame_parser *p, __u32 off, __u32 len)
{
	__u64 left = p->preface_left & 15;
	__u64 n = left < len ? left : len;
	__u64 mask = n < 8 ? (1ull << (n & 7) * 8) - 1 : ~0ull;

	if (!load_bytes(skb, off, p->head, n, PREFACE_WORD) ||
	    ((*(__u64 *)p->head ^ WORD_PRI >> (PREFACE_WORD - left) * 8) & mask))
		return false;
	p->preface_left = left - n;
	if (!p->preface_left)
		st->is_confirmed = true;
	return true;
}

enum http2_check {
	HTTP2_REJECTED,
	HTTP2_UNDECIDED, /* the budget is spent, and there is no verdict yet */
	HTTP2_ACCEPTED, /* it is HTTP/2, or a candidate with budget */
};

/* Checks whether a candidate may still be HTTP/2, with its next len bytes. */
static __always_inline enum http2_check check_candidate(struct __sk_buff *skb,
							struct sock_state *st, __u8 dir,
							struct frame_parser *p, __u32 off,
							__u32 len)
{
	__u64 first;

	if (p->preface_left)
		return compare_preface(skb, st, p, off, len) ? HTTP2_ACCEPTED : HTTP2_REJECTED;
	if (st->candidate_budget[dir] < SL_DATA_LARGE ||
	    (st->direction[dir].is_unsynced && !has_unsynced_budget())) {
		if (is_http2_by_verdict(st)) {
			st->is_confirmed = true;
			return HTTP2_ACCEPTED;
		}
		if (st->candidate_budget[dir] >= SL_DATA_LARGE)
			return HTTP2_UNDECIDED;
		return coarse_time() - st->candidate_time < CANDIDATE_WAIT ? HTTP2_UNDECIDED
									   : HTTP2_REJECTED;
	}
	if (st->role || len < 12)
		return HTTP2_ACCEPTED;
	return bpf_skb_load_bytes(skb, off, &first, sizeof(first)) || !starts_response(first)
		       ? HTTP2_ACCEPTED
		       : HTTP2_REJECTED;
}

#endif
