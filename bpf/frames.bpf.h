/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One direction of an HTTP/2 connection: where its frames start, and which of their
 * bytes are sent. It is in one of three states:
 *
 *     FRAMES_KNOWN   keep, skip and head are true of the byte at at_seq. Left
 *                    when bytes are missing, unless all of them are to be skipped.
 *     FRAMES_LOST    everything is sent. Left by a question, SL_F_ASK.
 *     FRAMES_TRIAL   the record that asked is taken to start with a frame:
 *                    followed, but nothing is skipped. FRAMES_KNOWN when user
 *                    space says so, or names a frame that is still to come.
 *
 * The place is checked by sequence number at each piece, so it does not matter
 * why bytes are missing: a hole, a second CPU at the same direction, a helper
 * that refused.
 */
#ifndef SIDELIGHT_FRAMES_BPF_H
#define SIDELIGHT_FRAMES_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "state.bpf.h"

/* RFC 9113 sections 4.1, 6, 3.4 */
#define FRAME_HEAD	9
#define FRAME_DATA	0
#define FRAME_SETTINGS	4
#define FRAME_LAST	0x10 /* of the types that are registered: PRIORITY_UPDATE (RFC 9218) */
#define OTHER_TYPE	31 /* stands for those above it */
#define KNOWN_TYPES	((2u << FRAME_LAST) - 1)
#define ANY_TYPE	~0u
#define FLAG_END_STREAM 0x01
#define PREFACE		24
#define PREFACE_WORD	8 /* of it that are compared */

/* PRIORITY, PING, WINDOW_UPDATE: of interest to nobody. */
#define IGNORED_TYPES (1u << 2 | 1u << 6 | 1u << 8)

/* Of a DATA payload that is cut: padding length, the five bytes before a gRPC message, and some. */
#define DATA_KEPT 16
/*
 * Payloads are cut when longer: at the end of a segment, where it saves
 * bytes; before other frames, where it costs a further record, when that saves a whole one.
 */
#define DATA_WHOLE_LAST 512
#define DATA_WHOLE	SL_DATA_LARGE

/* Frames of one piece: as many empty ones as fit a large record. */
#define WALK_STEPS 64

/* A question is not repeated sooner ... */
#define ASK_LEAST_NS (1000ull * 1000)
/* ... and is, if the answer does not come. */
#define ASK_AGAIN_NS (250ull * 1000 * 1000)
/* An answer may name a frame behind one of the largest size. */
#define ANSWER_AHEAD (1u << 25)

static __always_inline void begin_frames(struct frames *f, __u32 seq, enum frames_state state)
{
	__builtin_memset(f, 0, sizeof(*f));
	f->at_seq = seq;
	f->state = state;
}

/* The client's next bytes, at seq, are to be the preface. */
static __always_inline void begin_client(struct frames *f, __u32 seq)
{
	begin_frames(f, seq, FRAMES_KNOWN);
	f->keep = PREFACE;
	f->preface_left = PREFACE_WORD;
}

/* The server's next bytes, at seq, are to be SETTINGS (RFC 9113 section 3.4). */
static __always_inline void begin_server(struct frames *f, __u32 seq)
{
	begin_frames(f, seq, FRAMES_KNOWN);
	f->is_first = true;
}

/* Without a place: an answer, or a question. True if the record of this piece is to ask. */
static __always_inline bool find_place(struct sock_state *st, struct frames *f, __u8 dir, __u32 seq)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);
	__u64 now = bpf_ktime_get_ns();
	__u64 waited;

	if (v && v->is_http2)
		st->http2 = HTTP2_YES;
	if (v && f->has_asked && v->time_ns[dir] > f->ask_ns) {
		__u32 answer = v->seq[dir];

		if (f->state == FRAMES_TRIAL && answer == f->ask_seq) {
			f->state = FRAMES_KNOWN;
			return false;
		}
		if (answer - seq < ANSWER_AHEAD) {
			begin_frames(f, seq, FRAMES_KNOWN);
			f->keep = answer - seq;
			return false;
		}
	} else if (f->has_asked) {
		waited = now - f->ask_ns;
		if (waited < ASK_LEAST_NS || (f->state == FRAMES_TRIAL && waited < ASK_AGAIN_NS))
			return false;
	}
	count_exact(SL_C_ASKED);
	begin_frames(f, seq, FRAMES_TRIAL);
	f->has_asked = true;
	f->ask_seq = seq;
	f->ask_ns = now;
	return true;
}

/*
 * A frame header, its first byte lowest, that ends at f->pos; len bytes are in the
 * segment. Decides what is kept. False: this is none.
 *
 * What it computes passes through map memory, so that the verifier has one state behind it.
 */
static __always_inline bool take_head(volatile struct frames *f, __u64 head, __u32 len, __u32 lim)
{
	__u32 size = (head & 0xff) << 16 | (head >> 8 & 0xff) << 8 | (head >> 16 & 0xff);
	__u32 type = head >> 24 & 0xff;
	__u32 pos = f->pos;
	__u32 cut;
	__u32 left;

	f->is_end = head >> 32 & FLAG_END_STREAM;
	if (type > OTHER_TYPE)
		type = OTHER_TYPE;
	if (!(f->allowed >> type & 1))
		return false;
	f->keep = size;
	f->skip = 0;
	if (type == FRAME_DATA) {
		cut = len - pos;
		if (cut > DATA_WHOLE)
			cut = DATA_WHOLE;
		if (size >= cut && size > f->cut_above) {
			f->keep = DATA_KEPT;
			f->skip = size - DATA_KEPT;
		}
	}
	size = f->keep;
	left = lim - pos;
	if (left > size)
		left = size;
	f->keep = size - left;
	f->pos = pos + left;
	if (!(f->ignored >> type & 1) || size > left)
		f->useful = pos + left;
	else if (f->useful == f->start)
		f->useful = f->start = pos + left;
	return true;
}

/*
 * From f->start on, over all frames that end up in one record: f->pos is its end,
 * f->useful the end of what has to be in it. False: not frames.
 *
 * A frame header that the end of the segment cuts is kept in f->head.
 */
static __always_inline bool walk_frames(struct __sk_buff *skb, volatile struct frames *f, __u32 off,
					__u32 len, __u32 lim)
{
	__u32 pos = f->start;
	__u32 left = lim - pos;
	__u64 have = f->head_len & 15;
	__u64 head;

	if (f->keep) {
		if (left > f->keep)
			left = f->keep;
		f->keep -= left;
		pos += left;
		left = lim - pos;
	}
	if (have && left) {
		__u64 n = FRAME_HEAD - have;

		if (n > left)
			n = left;
		if (!load_bytes(skb, off + pos, (__u8 *)f->head + have, n, FRAME_HEAD))
			return false;
		pos += n;
		have += n;
		f->head_len = have < FRAME_HEAD ? have : 0;
	}
	f->pos = f->useful = pos;
	if (have == FRAME_HEAD) {
		if (!take_head(f, *(__u64 *)f->head, len, lim))
			return false;
		/* It began in another piece: nothing of it is left out here. */
		f->useful = f->pos;
		f->allowed = f->allowed_next;
	}
	for (int i = 0; i < WALK_STEPS; i++) {
		pos = f->pos;
		left = lim - pos;
		if (left < FRAME_HEAD || f->keep || f->skip)
			break;
		if (bpf_skb_load_bytes(skb, off + pos, &head, sizeof(head)))
			return false;
		f->pos = pos + FRAME_HEAD;
		if (!take_head(f, head, len, lim))
			return false;
		f->allowed = f->allowed_next;
	}
	/* Cut by the end of the record only: the next one starts with it. */
	if (left == 0 || left >= FRAME_HEAD || lim < len || f->keep || f->skip)
		return true;
	have = left;
	if (!load_bytes(skb, off + pos, (__u8 *)f->head, have, FRAME_HEAD))
		return false;
	f->head_len = have;
	f->pos = f->useful = lim;
	return true;
}

/*
 * Global functions: the verifier takes them by themselves, see scan_head().
 */
static __always_inline __u32 walk(struct __sk_buff *skb, __u8 dir, __u32 off, __u32 len, __u32 lim)
{
	struct bpf_sock *sk = skb->sk;
	struct sock_state *st;

	if (!sk)
		return false;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (!st)
		return false;
	return walk_frames(skb, &st->frames[dir], off, len, lim);
}

__noinline __u32 walk_ingress(struct __sk_buff *skb, __u32 off, __u32 len, __u32 lim)
{
	return walk(skb, SL_INGRESS, off, len, lim);
}

__noinline __u32 walk_egress(struct __sk_buff *skb, __u32 off, __u32 len, __u32 lim)
{
	return walk(skb, SL_EGRESS, off, len, lim);
}

#endif
