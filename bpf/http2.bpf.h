/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * HTTP/2: when a connection speaks it, and the sending of its bytes.
 *
 * It may be HTTP/2 by the start of the client's preface, and by first bytes of other kinds:
 * of a server that speaks first, after a 101, of a connection older than we are.
 * Until that is decided nothing is told to be body, and not much is sent.
 *
 *     not is_http2 --> is_http2 --> is_http2, is_sure
 *                      preface, verdict: on; other bytes, too many: back, or muted
 */
#ifndef SIDELIGHT_HTTP2_BPF_H
#define SIDELIGHT_HTTP2_BPF_H

#include "frames.bpf.h"
#include "http1.bpf.h"
#include "order.bpf.h"
#include "packet.bpf.h"
#include "proof.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/*
 * At the first of len bytes: finds the place again, says what may be left out behind it, and sets
 * the flags of the record, if it is HOLD.
 */
static __always_inline enum hold begin_piece(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					     __u64 off, __u64 len, __u64 seq)
{
	struct frames *f = &st->frames[dir];
	__u32 missing = (__u32)seq - f->at_seq;
	bool is_start = f->preface_left == PREFACE_WORD;
	enum hold hold = HOLD;

	if (missing) {
		if (f->state == FRAMES_KNOWN && f->keep == 0 && missing <= f->skip) {
			f->skip -= missing;
		} else {
			begin_frames(f, seq, FRAMES_LOST);
		}
	}
	if (!st->is_sure)
		hold = http2_holds(skb, st, dir, f, off, len);
	if (hold != HOLD)
		return hold;
	f->flags = 0;
	f->is_quiet = false;
	if (f->state != FRAMES_KNOWN && !find_place(st, f, dir, seq))
		return HOLD_WAIT;
	f->allowed = ANY_TYPE;
	f->ignored = 0;
	f->cut_above = NEVER_CUT;
	f->ends_above = 0;
	if (f->state == FRAMES_KNOWN && st->is_sure) {
		f->ignored = IGNORED_TYPES;
		f->cut_above = DATA_WHOLE_LAST;
		if (is_start || (f->keep == 0 && f->head_len == 0))
			f->flags = SL_F_FRAME;
	} else if (f->state == FRAMES_TRIAL) {
		f->allowed = KNOWN_TYPES;
		/* Who was never followed can lose nothing, but what is begun now and ends. */
		if (st->half[dir].is_unplaced) {
			f->cut_above = DATA_WHOLE_LAST;
			f->ends_above = NEVER_CUT;
		}
	}
	f->allowed_next = f->allowed;
	if (f->is_first)
		f->allowed = 1u << FRAME_SETTINGS;
	return HOLD;
}

/* Nothing of the segment up to end_seq is sent, nor vouched for. */
static __always_inline void lose_place(struct half *h, struct frames *f, __u32 end_seq)
{
	f->state = FRAMES_LOST;
	f->rest = 0;
	f->head_len = 0;
	h->told_seq = end_seq;
}

/* A record with room for cap bytes and the n bytes at off; NULL: they are lost, which is counted.
 */
static __always_inline struct sl_data *http2_copy(struct __sk_buff *skb, __u64 off, __u64 n,
						  const __u64 cap)
{
	struct sl_data *rec = ring_reserve(sizeof(*rec) + (IS_RINGBUF ? cap : n));

	if (!rec) {
		count_exact(SL_C_LOST_DATA);
		return NULL;
	}
	if (!load_bytes(skb, off, rec->data, n, cap)) {
		count_exact(SL_C_LOST_HELPER);
		ring_discard(&rec->h);
		return NULL;
	}
	/* Keeps the compiler from making one copy of three, whose bound depends on the path. */
	asm volatile("" ::"i"(cap));
	return rec;
}

/* One record of n bytes, n > 0, with the news that the direction has come to to_seq. */
static __always_inline void http2_send(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				       __u64 flags, __u64 off, __u64 from_seq, __u64 seq, __u64 n,
				       __u64 to_seq)
{
	struct half *h = &st->half[dir];
	struct sl_data *rec;

	if (!IS_RINGBUF)
		rec = http2_copy(skb, off, n, SL_DATA_LARGE);
	else if (n <= SL_DATA_TINY)
		rec = http2_copy(skb, off, n, SL_DATA_TINY);
	else if (n <= SL_DATA_SMALL)
		rec = http2_copy(skb, off, n, SL_DATA_SMALL);
	else if (n <= SL_DATA_MEDIUM)
		rec = http2_copy(skb, off, n, SL_DATA_MEDIUM);
	else
		rec = http2_copy(skb, off, n, SL_DATA_LARGE);
	if (!rec)
		return;
	opaque(from_seq);
	begin_data(rec, skb, st, dir);
	end_data(rec, dir, flags, from_seq, seq, n, to_seq);
	/* All is sent until somebody answers. */
	if (flags & SL_F_ASK)
		ring_submit_urgent(&rec->h);
	else
		ring_submit(&rec->h);
	h->records++;
	h->bytes_sent += n;
}

/*
 * Sends the first piece of len bytes, as far as it is worth a copy; returns how many of them are
 * done with. Bytes from before the place, and those of a second CPU, are sent as they are.
 */
static __always_inline __u32 http2_piece(struct __sk_buff *skb, __u8 dir, __u64 off, __u64 len,
					 __u64 seq, __u64 tcp_flags)
{
	struct sock_state *st = state_of(skb);
	struct frames *f;
	struct half *h;
	__u64 has_end = 0; /* a stream ended with bytes that are not sent */
	__u64 flags = 0;
	__u64 start = 0;
	__u64 from_seq;
	enum hold hold;
	bool is_settled;
	bool is_ours;
	__u64 end;
	__u64 done;
	__u64 n;

	if (!st)
		return len;
	f = &st->frames[dir];
	h = &st->half[dir];
	if (h->walk == WALK_UNBEGUN)
		begin_once(st, dir, seq);
	is_settled = dir == SL_EGRESS || f->at_seq == (__u32)seq ||
		     (__s32)(received_seq(skb, f->at_seq) - (__u32)seq) >= 0;
	end = done = len < SL_DATA_LARGE ? len : SL_DATA_LARGE;
	from_seq = seq;
	is_ours = begin_walk(st, dir, seq, is_settled);
	if (is_ours) {
		hold = begin_piece(skb, st, dir, off, len, seq);
		if (hold == HOLD_NOT && http2_leave(skb, st, dir))
			return st->mute ? len : 0;
		if (hold != HOLD) {
			lose_place(h, f, seq + len);
			end_walk(st, dir, seq + len);
			return len;
		}
		if (f->keep == 0 && f->skip) {
			start = f->skip < len ? f->skip : len;
			f->skip -= start;
			has_end = f->skip == 0 && f->is_end;
			off += start;
			seq += start;
			len -= start;
		}
		n = len < SL_DATA_LARGE ? len : SL_DATA_LARGE;
		end = done = n;
		if (n == 0 || f->state == FRAMES_LOST) {
			/* All of it is sent. */
		} else if (walk_rest(skb, f, off, len, n) && walk_frames(skb, f, off, len, n) &&
			   keep_head(skb, f, off, len, n)) {
			end = f->useful;
			done = f->pos;
			n = f->keep ? 0 : len - done;
			if (n > f->skip)
				n = f->skip;
			f->skip -= n;
			done += n;
			f->is_first &= f->allowed != f->allowed_next;
		} else if (!st->is_sure && f->state == FRAMES_KNOWN && http2_leave(skb, st, dir)) {
			return st->mute ? len : 0;
		} else {
			f->state = FRAMES_LOST;
			f->rest = 0;
			f->head_len = 0;
		}
		/* Only what is known to be skipped is told as such. */
		from_seq = f->ignored ? told_before(h, seq) : (__u32)seq;
		if (end)
			h->told_seq = seq + done;
		/* Through map memory, so that the verifier has one state behind it. */
		flags = *(volatile __u8 *)&f->flags;
		if (f->is_quiet)
			end = 0;
		if (h->is_unplaced)
			unplaced_bytes += end;
		if (!st->is_sure)
			st->maybe_left[dir] -= end;
	} else if (dir == SL_INGRESS) {
		note_ahead(h, AHEAD_WITHOUT_WALK);
		flags = SL_F_AHEAD;
	}
	if (done == len && tcp_flags & TCP_FIN)
		flags |= SL_F_FIN;
	if (end)
		http2_send(skb, st, dir, flags, off, from_seq, seq, end, seq + done);
	else if (has_end || flags & SL_F_FIN || (__u32)h->next - h->told_seq > 1u << 30)
		send_progress(st, dir, seq + done, flags & SL_F_FIN);
	if (is_ours)
		end_walk(st, dir, seq + done);
	return start + done;
}

/* Global functions: the verifier takes them by themselves, see scan_head(). */
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

/* Frames of a short segment that are looked at without ado: those of a call, WINDOW_UPDATE, PING.
 */
#define SHORT_FRAMES 6

/*
 * The whole of a short segment of whole frames, which is what calls with small messages are made
 * of: what http2_piece() does of it, for half the price. False: it is something else.
 */
static __always_inline bool http2_short(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					const struct segment *seg)
{
	struct frames *f = &st->frames[dir];
	struct half *h = &st->half[dir];
	__u32 len = seg->len;
	struct sl_data *rec;
	__u64 useful = 0;
	__u64 pos = 0;
	__u64 head;
	__u32 type;
	__u64 cap;

	if (len > SL_DATA_MEDIUM || !st->is_sure || f->at_seq != seg->seq || f->rest || f->is_odd ||
	    h->walk != WALK_IDLE || seg->tcp_flags & TCP_FIN)
		return false;
	/* WINDOW_UPDATE, two of it, PING, or both: let there be no record for nothing. */
	if (len == 13 || len == 26 || len == 17 || len == 30)
		return false;
	if (IS_RINGBUF && len <= SL_DATA_SMALL) {
		rec = ring_reserve(sizeof(*rec) + SL_DATA_SMALL);
		cap = SL_DATA_SMALL;
	} else {
		cap = SL_DATA_MEDIUM;
		rec = ring_reserve(sizeof(*rec) + (IS_RINGBUF ? cap : len));
	}
	if (!rec)
		return false;
	if (!load_bytes(skb, seg->off, rec->data, len, cap))
		goto discard;
	begin_data(rec, skb, st, dir);
	for (int i = 0; i < SHORT_FRAMES && pos < len; i++) {
		opaque(pos);
		if (pos > cap - sizeof(head))
			goto discard;
		head = *(__u64 *)(rec->data + pos);
		pos += ((head & 0xff) << 16 | (head >> 8 & 0xff) << 8 | (head >> 16 & 0xff)) +
		       FRAME_HEAD;
		type = head >> 24 & 0xff;
		if (type > OTHER_TYPE || !(IGNORED_TYPES >> type & 1))
			useful = pos;
	}
	if (pos != len)
		goto discard;
	if (!useful) {
		ring_discard(&rec->h);
		f->at_seq = seg->seq + len;
		return true;
	}
	end_data(rec, dir, SL_F_FRAME, told_before(h, seg->seq), seg->seq, useful, seg->seq + len);
	h->told_seq = seg->seq + len;
	ring_submit(&rec->h);
	h->records++;
	h->bytes_sent += useful;
	f->at_seq = seg->seq + len;
	return true;

discard:
	ring_discard(&rec->h);
	return false;
}

/*
 * Pieces that one run of a program sends. With 33 tail calls that is enough for the frames of any
 * segment: 8,400 frames of 9 bytes, or half a megabyte (BIG TCP) that is not to be skipped.
 */
#define RUN_PIECES 32

/* The next pieces of the segment, which are taken off. False: nothing more of it is to be sent. */
static __always_inline bool http2_next(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				       struct segment *seg)
{
	__u32 done;

	for (int i = 0; i < RUN_PIECES && st->is_http2 && seg->len; i++) {
		done = dir == SL_INGRESS
			       ? http2_ingress(skb, seg->off, seg->len, seg->seq, seg->tcp_flags)
			       : http2_egress(skb, seg->off, seg->len, seg->seq, seg->tcp_flags);
		seg->seq += done;
		seg->off += done;
		seg->len -= done;
	}
	return seg->len > 0;
}

#endif
