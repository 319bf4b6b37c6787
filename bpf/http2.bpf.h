/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * HTTP/2: when a connection speaks it, and the sending of its bytes.
 *
 * It may be HTTP/2 by the start of the client's preface, and by first bytes of other kinds:
 * of a server that speaks first, after a 101, of a connection older than we are.
 * Until that is decided nothing is skipped, and not much is sent.
 *
 *     HTTP2_NO --> HTTP2_MAYBE --> HTTP2_YES
 *                  preface, verdict: on; other bytes, too many: back, or muted
 */
#ifndef SIDELIGHT_HTTP2_BPF_H
#define SIDELIGHT_HTTP2_BPF_H

#include "frames.bpf.h"
#include "http1.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* Bytes of a connection that are sent while it is not known to be HTTP/2. */
#define MAYBE_BUDGET (128u << 10)

/* No byte of the direction passed before seq, and it was seen from its start. */
static __always_inline bool is_start(const struct half *h, __u32 seq)
{
	return h->first_seq == seq;
}

/*
 * May HTTP/2 begin with the first n bytes of a turn, at seq? Then they are left to
 * http2_piece().
 */
static __always_inline bool http2_begins(struct sock_state *st, __u8 dir, __u32 seq, __u64 first,
					 __u32 n)
{
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	__u64 mask = n < 8 ? (1ull << (n & 7) * 8) - 1 : ~0ull;
	const struct half *other = &st->half[!dir];

	if (((first ^ WORD_PRI) & mask) == 0 && (n >= 8 || dir == request_dir)) {
		begin_client(&st->frames[dir], seq);
		begin_server(&st->frames[!dir], other->next);
		if (!is_start(other, other->next))
			st->frames[!dir].state = FRAMES_LOST;
	} else if (st->was_maybe) {
		return false;
	} else if (st->role && dir != request_dir) {
		/* SETTINGS of less than 256 bytes, no flags, stream 0 */
		if ((first & ~WORD(0, 0, 0xff, 0, 0, 0, 0, 0)) !=
			    WORD(0, 0, 0, FRAME_SETTINGS, 0, 0, 0, 0) ||
		    n < FRAME_HEAD || !is_start(&st->half[dir], seq))
			return false;
		begin_server(&st->frames[dir], seq);
		begin_client(&st->frames[!dir], other->next);
		/* The preface may have come early, before the socket. */
		if (!is_start(other, other->next))
			begin_frames(&st->frames[!dir], other->next, FRAMES_LOST);
	} else if (!st->role) {
		/* Turns begin with frames; text does not, by what its first byte is as a length. */
		if ((first & 0xff) > 8 || (first >> 24 & 0xff) > FRAME_LAST)
			return false;
		begin_frames(&st->frames[SL_INGRESS], seq, FRAMES_LOST);
		begin_frames(&st->frames[SL_EGRESS], seq, FRAMES_LOST);
	} else {
		return false;
	}
	st->http2 = HTTP2_MAYBE;
	st->was_maybe = true;
	st->maybe_left = MAYBE_BUDGET;
	return true;
}

/* After a 101, whose head ends at server_seq; 0: it is not known where. */
static __always_inline void http2_upgrade(struct sock_state *st, __u8 dir, __u32 server_seq)
{
	begin_client(&st->frames[!dir], st->half[!dir].next);
	begin_server(&st->frames[dir], server_seq);
	if (!server_seq)
		st->frames[dir].state = FRAMES_LOST;
	st->http2 = HTTP2_MAYBE;
	st->is_upgrade = true;
	st->maybe_left = MAYBE_BUDGET;
}

/* It is not HTTP/2. */
static __always_inline void http2_leave(struct sock_state *st, __u8 dir)
{
	struct half *h = &st->half[dir];

	st->http2 = HTTP2_NO;
	if (st->is_upgrade) {
		mute(st, SL_MUTE_UPGRADE);
		return;
	}
	st->last_dir = dir;
	h->budget = TURN_BUDGET;
	h->is_turn = true;
}

/* Compares the start of the preface as far as it goes. False: that is something else. */
static __always_inline bool take_preface(struct __sk_buff *skb, struct sock_state *st,
					 struct frames *f, __u32 off, __u32 len)
{
	__u64 left = f->preface_left & 15;
	__u64 n = left < len ? left : len;
	__u64 mask = n < 8 ? (1ull << (n & 7) * 8) - 1 : ~0ull;

	if (!load_bytes(skb, off, f->head, n, PREFACE_WORD) ||
	    ((*(__u64 *)f->head ^ WORD_PRI >> (PREFACE_WORD - left) * 8) & mask))
		return false;
	f->preface_left = left - n;
	if (!f->preface_left)
		st->http2 = HTTP2_YES;
	return true;
}

/* Is the connection still taken for HTTP/2 with the next len bytes? */
static __always_inline bool http2_holds(struct __sk_buff *skb, struct sock_state *st,
					struct frames *f, __u32 off, __u32 len)
{
	__u64 first;

	if (f->preface_left)
		return take_preface(skb, st, f, off, len);
	if (len > st->maybe_left)
		return false;
	/* As if all were sent: the rest comes here again, if it is. */
	st->maybe_left -= len < SL_DATA_LARGE ? len : SL_DATA_LARGE;
	if (st->role || len < 12)
		return true;
	return bpf_skb_load_bytes(skb, off, &first, sizeof(first)) || !starts_response(first);
}

/*
 * What of a piece is sent, from its first byte on: the bytes [start, end); the direction has
 * come to `done`. All words of one size: without CAP_PERFMON none may share a place on the
 * stack with a pointer.
 */
struct cut {
	__u64 start;
	__u64 end;
	__u64 done;
	__u64 flags;
	__u64 has_end; /* a stream ended with bytes that are not sent */
};

/* Of the next len bytes, up to a record. False: not HTTP/2, and none of them is done with. */
static __always_inline bool cut_piece(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				      __u64 off, __u64 len, __u64 seq, struct cut *ret)
{
	struct frames *f = &st->frames[dir];
	__u32 behind = (__u32)seq - f->at_seq;
	bool is_start = f->preface_left == PREFACE_WORD;
	bool is_walked;
	__u64 n;

	if (behind) {
		if (f->state == FRAMES_KNOWN && f->keep == 0 && behind <= f->skip)
			f->skip -= behind;
		else
			begin_frames(f, seq, FRAMES_LOST);
	}
	f->at_seq = seq;
	if (st->http2 == HTTP2_MAYBE && !http2_holds(skb, st, f, off, len))
		return false;
	if (f->state != FRAMES_KNOWN && find_place(st, f, dir, seq))
		ret->flags = SL_F_ASK;
	is_start |= f->keep == 0 && f->head_len == 0;
	n = f->keep ? 0 : f->skip;
	if (n > len)
		n = len;
	f->skip -= n;
	f->start = n;
	if (n && f->skip == 0)
		ret->has_end = f->is_end;
	ret->start = ret->end = ret->done = len;
	if (n == len)
		goto out;
	if (f->state == FRAMES_KNOWN && st->http2 == HTTP2_YES) {
		f->allowed_next = ANY_TYPE;
		f->ignored = IGNORED_TYPES;
		f->cut_above = DATA_WHOLE_LAST;
		if (is_start)
			ret->flags = SL_F_FRAME;
	} else {
		f->allowed_next = f->state == FRAMES_TRIAL ? KNOWN_TYPES : ANY_TYPE;
		f->ignored = 0;
		f->cut_above = ~0u;
	}
	f->allowed = f->is_first ? 1u << FRAME_SETTINGS : f->allowed_next;
	n += SL_DATA_LARGE;
	if (n > len)
		n = len;
	if (f->state == FRAMES_LOST)
		is_walked = false;
	else if (dir == SL_INGRESS)
		is_walked = walk_ingress(skb, off, len, n);
	else
		is_walked = walk_egress(skb, off, len, n);
	f->is_first &= f->allowed != f->allowed_next;
	if (is_walked) {
		ret->start = f->start;
		ret->end = f->useful;
		n = f->keep ? 0 : len - f->pos;
		if (n > f->skip)
			n = f->skip;
		f->skip -= n;
		ret->done = f->pos + n;
	} else {
		if (st->http2 == HTTP2_MAYBE && f->state == FRAMES_KNOWN)
			return false;
		f->state = FRAMES_LOST;
		f->skip = 0;
		ret->start = f->start;
		ret->end = ret->done = n;
	}
out:
	f->at_seq = seq + ret->done;
	return true;
}

/* seq is that of the piece, to_seq how far the direction has come with it. */
static __always_inline void send_cut(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				     __u64 off, __u64 seq, const struct cut *c)
{
	struct half *h = &st->half[dir];
	__u64 n = c->end - c->start;
	struct sl_data *rec;
	__u64 from_seq;
	__u64 cap;

	if (n <= SL_DATA_SMALL) {
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_SMALL, 0);
		cap = SL_DATA_SMALL;
	} else if (n <= SL_DATA_MEDIUM) {
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_MEDIUM, 0);
		cap = SL_DATA_MEDIUM;
	} else {
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_LARGE, 0);
		cap = SL_DATA_LARGE;
	}
	if (!rec) {
		count_exact(SL_C_LOST_DATA);
		h->told_seq = seq + c->done;
		return;
	}
	if (!load_bytes(skb, off + c->start, rec->data, n, cap)) {
		count_exact(SL_C_LOST_HELPER);
		bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
		h->told_seq = seq + c->done;
		return;
	}
	from_seq = told_before(h, seq);
	opaque(from_seq);
	h->told_seq = seq + c->done;
	fill_data(rec, st, dir, c->flags, from_seq, seq + c->start, n, seq + c->done);
	bpf_ringbuf_submit(rec, wake_flags(&rec->h));
	h->records++;
	h->bytes_sent += n;
}

/*
 * Sends the first piece of len bytes, as far as it is worth a copy; returns how many of them are
 * done with. A second CPU at the same direction sends what it has, and leaves the place alone.
 */
static __always_inline __u32 http2_piece(struct __sk_buff *skb, __u8 dir, __u64 off, __u64 len,
					 __u64 seq, __u64 tcp_flags)
{
	struct cut c = {.end = len, .done = len};
	struct bpf_sock *sk = skb->sk;
	struct sock_state *st;
	bool is_http2 = true;

	if (!sk)
		return len;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (!st)
		return len;
	if (!st->half[dir].is_walked) {
		st->half[dir].is_walked = true;
		is_http2 = cut_piece(skb, st, dir, off, len, seq, &c);
		st->half[dir].is_walked = false;
	} else if (len > SL_DATA_LARGE) {
		c.end = c.done = SL_DATA_LARGE;
	}
	if (!is_http2) {
		http2_leave(st, dir);
		return st->mute ? len : 0;
	}
	if (c.done == len && tcp_flags & TCP_FIN)
		c.flags |= SL_F_FIN;
	if (c.start != c.end)
		send_cut(skb, st, dir, off, seq, &c);
	else if (c.flags & SL_F_FIN || c.has_end ||
		 (__u32)st->half[dir].next - st->half[dir].told_seq > 1u << 30)
		send_progress(st, dir, seq + c.done, c.flags & SL_F_FIN);
	return c.done;
}

__noinline __u32 http2_ingress(struct __sk_buff *skb, __u32 off, __u32 len, __u32 seq,
			       __u32 tcp_flags)
{
	return http2_piece(skb, SL_INGRESS, off, len, seq, tcp_flags);
}

__noinline __u32 http2_egress(struct __sk_buff *skb, __u32 off, __u32 len, __u32 seq,
			      __u32 tcp_flags)
{
	return http2_piece(skb, SL_EGRESS, off, len, seq, tcp_flags);
}

#endif
