/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One direction of an HTTP/2 connection: where its frames start, and which of their
 * bytes are sent. It is in one of three states:
 *
 *     FRAMES_KNOWN   keep, skip and head are true of the byte at at_seq. Left
 *                    when bytes are missing, unless all of them are to be skipped.
 *     FRAMES_LOST    everything is sent. Left by a question, SL_F_ASK.
 *     FRAMES_TRIAL   the record that asked is taken to start with a frame:
 *                    followed, but nothing is skipped, unless nothing was ever
 *                    followed before: then user space has no use for the rest.
 *                    FRAMES_KNOWN when user space says so, or names a frame that
 *                    is still to come.
 *
 * The place is checked by sequence number at each piece, so it does not matter
 * why bytes are missing: a gap, a helper that refused, a second CPU at the same
 * direction, for which see order.bpf.h.
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
#define ZEROS_TYPE	30 /* and for a header of zeros, which nobody sends: bodies have them */
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

/* No frame is as large. */
#define NEVER_CUT (1u << 24)

/* Frames of one piece. */
#define WALK_STEPS 8

/*
 * A question is not asked sooner after the last one of its direction, whatever was lost since; the
 * time doubles with each, up to ASK_BACKOFF_MAX times, until none was asked for ASK_CALM_NS ...
 */
#define ASK_LEAST_NS	(1000ull * 1000)
#define ASK_BACKOFF_MAX 4
#define ASK_CALM_NS	(1000ull * 1000 * 1000)
/* ... and is repeated, if the answer does not come. */
#define ASK_AGAIN_NS (250ull * 1000 * 1000)
/* An answer may name a frame behind one of the largest size. */
#define ANSWER_AHEAD (1u << 25)

static __always_inline void begin_frames(struct frames *f, __u32 seq, enum frames_state state)
{
	__builtin_memset(f, 0, sizeof(*f));
	f->at_seq = seq;
	f->state = state;
}

/* Are the bytes from the place up to seq + len known to be payload that is skipped? */
static __always_inline bool is_payload(const struct frames *f, __u32 seq, __u32 len)
{
	return f->state == FRAMES_KNOWN && f->keep == 0 && seq - f->at_seq <= f->skip &&
	       seq - f->at_seq + len <= f->skip;
}

/*
 * The direction's first bytes in HTTP/2, at seq. Each direction does this for itself: at the
 * start both ends may speak at once, on two CPUs.
 */
static __always_inline void begin_direction(struct sock_state *st, __u8 dir, __u32 seq)
{
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	struct frames *f = &st->frames[dir];
	struct half *h = &st->half[dir];

	begin_frames(f, seq, FRAMES_KNOWN);
	if (st->upgrade_by == 1 + dir) {
		if ((__u32)h->skip_to == seq)
			f->is_first = true;
		else
			f->state = FRAMES_LOST;
	} else if (st->upgrade_by || (st->role && dir == request_dir && h->first_seq == seq)) {
		f->keep = PREFACE;
		f->preface_left = PREFACE_WORD;
	} else if (st->role && dir != request_dir && h->first_seq == seq) {
		f->is_first = true; /* SETTINGS (RFC 9113 section 3.4) */
	} else {
		f->state = FRAMES_LOST;
	}
	/* Else user space knows the frames from the first on, and needs all that follows. */
	h->is_unplaced = f->state == FRAMES_LOST && st->is_midstream;
	h->walk = WALK_IDLE;
}

/* May more be sent of directions that were never followed? */
static __always_inline bool has_room(void)
{
	return unplaced_bytes < unplaced_max;
}

/*
 * Without a place: an answer, or a question, which is in f->flags. False: nothing of this segment
 * is to be sent.
 */
static __always_inline bool find_place(struct sock_state *st, struct frames *f, __u8 dir, __u32 seq)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);
	__u64 now = bpf_ktime_get_ns();
	struct half *h = &st->half[dir];
	__u64 waited = now - h->ask_ns;

	if (v && v->is_http2)
		st->is_sure = true;
	if (v && f->has_asked && v->time_ns[dir] > h->ask_ns) {
		__u32 answer = v->seq[dir];

		if (f->state == FRAMES_TRIAL && answer == f->ask_seq) {
			f->state = FRAMES_KNOWN;
			h->is_unplaced = false;
			return true;
		}
		if (answer - seq < ANSWER_AHEAD) {
			begin_frames(f, seq, FRAMES_KNOWN);
			f->keep = answer - seq;
			h->is_unplaced = false;
			return true;
		}
	} else if (f->has_asked && f->state == FRAMES_TRIAL && waited < ASK_AGAIN_NS) {
		f->is_quiet = h->is_unplaced && !has_room();
		return true;
	}
	if (h->is_unplaced && !has_room())
		return false;
	if (h->ask_ns && waited < ASK_LEAST_NS << (h->ask_backoff & 7))
		return true;
	if (waited > ASK_CALM_NS)
		h->ask_backoff = 0;
	else if (h->ask_backoff < ASK_BACKOFF_MAX)
		h->ask_backoff++;
	count_exact(SL_C_ASKED);
	begin_frames(f, seq, FRAMES_TRIAL);
	f->has_asked = true;
	f->ask_seq = seq;
	h->ask_ns = now;
	f->flags = SL_F_ASK;
	return true;
}

/*
 * A frame header, its first byte lowest, that ends at f->pos of the piece; len bytes are left of
 * the segment, n of them in the record. Decides what is kept. False: this is none.
 *
 * What it computes passes through map memory, so that the verifier has one state behind it.
 */
static __always_inline bool take_head(volatile struct frames *f, __u64 head, __u32 len, __u32 n)
{
	__u32 size = (head & 0xff) << 16 | (head >> 8 & 0xff) << 8 | (head >> 16 & 0xff);
	__u32 type = head >> 24 & 0xff;
	__u32 pos = f->pos;
	__u32 cut;
	__u32 left;

	f->is_end = head >> 32 & FLAG_END_STREAM;
	if (type > OTHER_TYPE)
		type = OTHER_TYPE;
	if (!head)
		type = ZEROS_TYPE;
	if (!(f->allowed >> type & 1))
		return false;
	f->allowed = f->allowed_next;
	f->keep = size;
	if (type == FRAME_DATA) {
		cut = len - pos;
		if (cut > DATA_WHOLE)
			cut = DATA_WHOLE;
		if (size >= cut && size > f->cut_above + f->is_end * f->ends_above) {
			f->keep = DATA_KEPT;
			f->skip = size - DATA_KEPT;
		}
	}
	size = f->keep;
	left = n - pos;
	if (left > size)
		left = size;
	f->keep = size - left;
	f->pos = pos + left;
	if (!(f->ignored >> type & 1) || size > left)
		f->useful = pos + left;
	return true;
}

/* The rest of a frame that began in an earlier piece, its header included. */
static __always_inline bool walk_rest(struct __sk_buff *skb, struct frames *f, __u64 off, __u64 len,
				      __u64 n)
{
	__u64 have = f->head_len & 15;
	__u64 pos = f->keep < n ? f->keep : n;
	__u64 more = FRAME_HEAD - have;

	f->keep -= pos;
	if (have) {
		if (more > n)
			more = n;
		if (!load_bytes(skb, off, f->head + have, more, FRAME_HEAD))
			return false;
		have += more;
		pos = more;
		f->head_len = have < FRAME_HEAD ? have : 0;
	}
	f->pos = f->useful = pos;
	if (have == FRAME_HEAD) {
		if (!take_head(f, *(__u64 *)f->head, len, n))
			return false;
		/* It began in another piece: nothing of it is left out here. */
		f->useful = f->pos;
	}
	return true;
}

/*
 * Over all frames of a piece of n bytes, of len that are left of the segment: f->pos is where this
 * ends, f->useful the end of what has to be sent. False: not frames.
 */
static __always_inline bool walk_frames(struct __sk_buff *skb, volatile struct frames *f, __u64 off,
					__u32 len, __u32 n)
{
	__u32 left;
	__u64 pos;
	__u64 at;

	f->chunk_at = f->pos + 1; /* nothing is in there */
	for (int i = 0; i < WALK_STEPS; i++) {
		pos = f->pos;
		left = n - pos;
		if (left < FRAME_HEAD || f->keep || f->skip)
			break;
		at = (__u32)(pos - f->chunk_at);
		if (at > WALK_CHUNK - FRAME_HEAD) {
			if (left > WALK_CHUNK)
				left = WALK_CHUNK;
			if (!load_bytes(skb, off + pos, (__u8 *)f->chunk, left, WALK_CHUNK))
				return false;
			f->chunk_at = pos;
			at = 0;
		}
		opaque(at);
		if (at > WALK_CHUNK - FRAME_HEAD)
			return false;
		f->pos = pos + FRAME_HEAD;
		if (!take_head(f, *(__u64 *)(f->chunk + at), len, n))
			return false;
	}
	return true;
}

/* The start of a frame header at the end of the segment is kept for the next piece. */
static __always_inline bool keep_head(struct __sk_buff *skb, struct frames *f, __u64 off, __u64 len,
				      __u64 n)
{
	__u64 left = n - f->pos;

	if (left == 0 || left >= FRAME_HEAD || n < len || f->keep || f->skip)
		return true;
	if (!load_bytes(skb, off + f->pos, f->head, left, FRAME_HEAD))
		return false;
	f->head_len = left;
	f->pos = f->useful = n;
	return true;
}

#endif
