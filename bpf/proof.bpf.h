/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Is a connection HTTP/2, and how much of it is sent until that is known? See http2.bpf.h.
 */
#ifndef SIDELIGHT_PROOF_BPF_H
#define SIDELIGHT_PROOF_BPF_H

#include "frames.bpf.h"
#include "http1.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/*
 * Bytes of a direction that are sent while it is not known to be HTTP/2. Each has its own: one of
 * large bodies shows nothing, while the other has a head in each segment.
 */
#define CANDIDATE_BUDGET (64u << 10)
/* How long nothing more is sent then: who is busy has used that up before anybody reads it. */
#define CANDIDATE_WAIT_NS (200ull * 1000 * 1000)

static __always_inline void start_candidate(struct sock_state *st)
{
	st->candidate_budget[SL_INGRESS] = CANDIDATE_BUDGET;
	st->candidate_budget[SL_EGRESS] = CANDIDATE_BUDGET;
	st->candidate_ns = bpf_ktime_get_ns();
}

/* Is it known otherwise: by user space, or by what was seen on the listener's socket? */
static __always_inline bool is_http2_by_verdict(const struct sock_state *st)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);

	return v && v->is_http2;
}

/*
 * May HTTP/2 begin with the first n bytes of a turn, at seq? Then they are left to
 * send_http2_slice().
 */
static __always_inline bool starts_http2(struct sock_state *st, __u8 dir, __u32 seq, __u64 first,
					 __u32 n)
{
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	__u64 mask = n < 8 ? (1ull << (n & 7) * 8) - 1 : ~0ull;
	const struct direction *d = &st->direction[dir];

	if (((first ^ WORD_PRI) & mask) == 0 && (st->role ? dir == request_dir : n >= 8)) {
		/* Who sends the preface is the client, whoever opened the connection. */
		if (!st->role)
			st->role = dir == SL_EGRESS ? SL_ROLE_CLIENT : SL_ROLE_SERVER;
	} else if (st->was_candidate) {
		/* The answer may have come too late. */
		if (!is_http2_by_verdict(st))
			return false;
	} else if (st->role && dir != request_dir) {
		/* SETTINGS of less than 256 bytes, no flags, stream 0 */
		if ((first & ~WORD(0, 0, 0xff, 0, 0, 0, 0, 0)) !=
			    WORD(0, 0, 0, FRAME_SETTINGS, 0, 0, 0, 0) ||
		    n < FRAME_HEAD || d->first_seq != seq)
			return false;
		if (is_http2_by_verdict(st))
			st->is_confirmed = true;
	} else if (!st->role) {
		/* Turns begin with frames; text does not, by what its first byte is as a length. */
		if ((first & 0xff) > 8 || (first >> 24 & 0xff) > FRAME_LAST)
			return false;
	} else {
		return false;
	}
	start_candidate(st);
	st->was_candidate = true;
	st->is_http2 = true;
	return true;
}

/*
 * After a 101, whose head ends at server_seq; 0: it is not known where. The frames are begun with
 * their first byte, by init_parser_once(): the other direction may still scan a head in their
 * memory.
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
 * Ends what the caller, who walks the frames of dir, has taken for HTTP/2. The other direction may
 * be at its own: it keeps them, and until it is done nobody scans a head in their memory. False:
 * the other direction has proved that it is HTTP/2.
 */
static __always_inline bool reject_http2(struct sock_state *st, __u8 dir)
{
	bool is_over;

	bpf_spin_lock(&st->lock);
	is_over = !st->is_confirmed;
	if (is_over) {
		st->is_http2 = false;
		st->direction[dir].parser_state = PARSER_UNUSED;
		if (st->direction[!dir].parser_state == PARSER_IDLE)
			st->direction[!dir].parser_state = PARSER_UNUSED;
	}
	bpf_spin_unlock(&st->lock);
	return is_over;
}

/* It is not HTTP/2. False: it is, see reject_http2(). */
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

/* Compares the start of the preface as far as it goes. False: that is something else. */
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
	HTTP2_REJECTED, /* it is no HTTP/2 */
	HTTP2_UNDECIDED, /* nobody has said yet what it is, and enough was sent */
	HTTP2_ACCEPTED,
};

/* Is the connection still taken for HTTP/2 with the next len bytes? */
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
		return bpf_ktime_get_ns() - st->candidate_ns < CANDIDATE_WAIT_NS ? HTTP2_UNDECIDED
										 : HTTP2_REJECTED;
	}
	if (st->role || len < 12)
		return HTTP2_ACCEPTED;
	return bpf_skb_load_bytes(skb, off, &first, sizeof(first)) || !starts_response(first)
		       ? HTTP2_ACCEPTED
		       : HTTP2_REJECTED;
}

#endif
