/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One direction of an HTTP/2 connection: where its frames start, and which of their
 * bytes are sent. It is in one of three states:
 *
 *     FRAMES_SYNCED   keep, skip and head are true of the byte at at_seq. Left
 *                    when bytes are missing, unless all of them are to be skipped.
 *     FRAMES_UNSYNCED    everything is sent. Left by a question, SL_F_ASK.
 *     FRAMES_TENTATIVE   the record that asked is taken to start with a frame:
 *                    followed, but nothing is skipped, unless nothing was ever
 *                    followed before: then user space has no use for the rest.
 *                    FRAMES_SYNCED when user space says so, or names a frame that
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
#define SLICE_FRAMES 8

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

static __always_inline void reset_parser(struct frame_parser *p, __u32 seq, enum frames_sync state)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->at_seq = seq;
	p->sync = state;
}

/* Are the bytes from the place up to seq + len known to be payload that is skipped? */
static __always_inline bool is_skipped_payload(const struct frame_parser *p, __u32 seq, __u32 len)
{
	return p->sync == FRAMES_SYNCED && p->copy_left == 0 && seq - p->at_seq <= p->skip_left &&
	       seq - p->at_seq + len <= p->skip_left;
}

/*
 * The direction's first bytes in HTTP/2, at seq. Each direction does this for itself: at the
 * start both ends may speak at once, on two CPUs.
 */
static __always_inline void init_parser(struct sock_state *st, __u8 dir, __u32 seq)
{
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	struct frame_parser *p = &st->parser[dir];
	struct direction *d = &st->direction[dir];

	reset_parser(p, seq, FRAMES_SYNCED);
	if (st->upgrade_by == 1 + dir) {
		if ((__u32)d->skip_to == seq)
			p->expects_settings = true;
		else
			p->sync = FRAMES_UNSYNCED;
	} else if (st->upgrade_by || (st->role && dir == request_dir && d->first_seq == seq)) {
		p->copy_left = PREFACE;
		p->preface_left = PREFACE_WORD;
	} else if (st->role && dir != request_dir && d->first_seq == seq) {
		p->expects_settings = true; /* SETTINGS (RFC 9113 section 3.4) */
	} else {
		p->sync = FRAMES_UNSYNCED;
	}
	/* Else user space knows the frames from the first on, and needs all that follows. */
	d->is_unsynced = p->sync == FRAMES_UNSYNCED && st->is_midstream;
	d->parser_state = PARSER_IDLE;
}

/* May more be sent of directions that were never followed? */
static __always_inline bool has_unsynced_budget(void)
{
	return unplaced_bytes < unplaced_max;
}

/*
 * Without a place: an answer, or a question, which is in p->flags. False: nothing of this segment
 * is to be sent.
 */
static __always_inline bool find_frames(struct sock_state *st, struct frame_parser *p, __u8 dir,
					__u32 seq)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);
	__u64 now = bpf_ktime_get_ns();
	struct direction *d = &st->direction[dir];
	__u64 waited = now - d->ask_ns;

	if (v && v->is_http2)
		st->is_confirmed = true;
	if (v && p->has_asked && v->time_ns[dir] > d->ask_ns) {
		__u32 answer = v->seq[dir];

		if (p->sync == FRAMES_TENTATIVE && answer == p->ask_seq) {
			p->sync = FRAMES_SYNCED;
			d->is_unsynced = false;
			return true;
		}
		if (answer - seq < ANSWER_AHEAD) {
			reset_parser(p, seq, FRAMES_SYNCED);
			p->copy_left = answer - seq;
			d->is_unsynced = false;
			return true;
		}
	} else if (p->has_asked && p->sync == FRAMES_TENTATIVE && waited < ASK_AGAIN_NS) {
		p->is_withheld = d->is_unsynced && !has_unsynced_budget();
		return true;
	}
	if (d->is_unsynced && !has_unsynced_budget())
		return false;
	if (d->ask_ns && waited < ASK_LEAST_NS << (d->ask_backoff & 7))
		return true;
	if (waited > ASK_CALM_NS)
		d->ask_backoff = 0;
	else if (d->ask_backoff < ASK_BACKOFF_MAX)
		d->ask_backoff++;
	count_exact(SL_C_ASKED);
	reset_parser(p, seq, FRAMES_TENTATIVE);
	p->has_asked = true;
	p->ask_seq = seq;
	d->ask_ns = now;
	p->flags = SL_F_ASK;
	return true;
}

/*
 * A frame header, its first byte lowest, that ends at p->pos of the piece; len bytes are left of
 * the segment, n of them in the record. Decides what is kept. False: this is none.
 *
 * What it computes passes through map memory, so that the verifier has one state behind it.
 */
static __always_inline bool parse_frame_header(volatile struct frame_parser *p, __u64 head,
					       __u32 len, __u32 n)
{
	__u32 size = (head & 0xff) << 16 | (head >> 8 & 0xff) << 8 | (head >> 16 & 0xff);
	__u32 type = head >> 24 & 0xff;
	__u32 pos = p->pos;
	__u32 cut;
	__u32 left;

	p->ends_stream = head >> 32 & FLAG_END_STREAM;
	if (type > OTHER_TYPE)
		type = OTHER_TYPE;
	if (!head)
		type = ZEROS_TYPE;
	if (!(p->allowed_types >> type & 1))
		return false;
	p->allowed_types = p->later_types;
	p->copy_left = size;
	if (type == FRAME_DATA) {
		cut = len - pos;
		if (cut > DATA_WHOLE)
			cut = DATA_WHOLE;
		if (size >= cut && size > p->cut_above + p->ends_stream * p->end_stream_extra) {
			p->copy_left = DATA_KEPT;
			p->skip_left = size - DATA_KEPT;
		}
	}
	size = p->copy_left;
	left = n - pos;
	if (left > size)
		left = size;
	p->copy_left = size - left;
	p->pos = pos + left;
	if (!(p->skipped_types >> type & 1) || size > left)
		p->copy_end = pos + left;
	return true;
}

/* The rest of a frame that began in an earlier piece, its header included. */
static __always_inline bool parse_continued_frame(struct __sk_buff *skb, struct frame_parser *p,
						  __u64 off, __u64 len, __u64 n)
{
	__u64 have = p->head_len & 15;
	__u64 pos = p->copy_left < n ? p->copy_left : n;
	__u64 more = FRAME_HEAD - have;

	p->copy_left -= pos;
	if (have) {
		if (more > n)
			more = n;
		if (!load_bytes(skb, off, p->head + have, more, FRAME_HEAD))
			return false;
		have += more;
		pos = more;
		p->head_len = have < FRAME_HEAD ? have : 0;
	}
	p->pos = p->copy_end = pos;
	if (have == FRAME_HEAD) {
		if (!parse_frame_header(p, *(__u64 *)p->head, len, n))
			return false;
		/* It began in another piece: nothing of it is left out here. */
		p->copy_end = p->pos;
	}
	return true;
}

/*
 * Over all frames of a piece of n bytes, of len that are left of the segment: p->pos is where this
 * ends, p->copy_end the end of what has to be sent. False: not frames.
 */
static __always_inline bool parse_frames(struct __sk_buff *skb, volatile struct frame_parser *p,
					 __u64 off, __u32 len, __u32 n)
{
	__u32 left;
	__u64 pos;
	__u64 at;

	p->chunk_pos = p->pos + 1; /* nothing is in there */
	for (int i = 0; i < SLICE_FRAMES; i++) {
		pos = p->pos;
		left = n - pos;
		if (left < FRAME_HEAD || p->copy_left || p->skip_left)
			break;
		at = (__u32)(pos - p->chunk_pos);
		if (at > HEADERS_CHUNK - FRAME_HEAD) {
			if (left > HEADERS_CHUNK)
				left = HEADERS_CHUNK;
			if (!load_bytes(skb, off + pos, (__u8 *)p->chunk, left, HEADERS_CHUNK))
				return false;
			p->chunk_pos = pos;
			at = 0;
		}
		opaque(at);
		if (at > HEADERS_CHUNK - FRAME_HEAD)
			return false;
		p->pos = pos + FRAME_HEAD;
		if (!parse_frame_header(p, *(__u64 *)(p->chunk + at), len, n))
			return false;
	}
	return true;
}

/* The start of a frame header at the end of the segment is kept for the next piece. */
static __always_inline bool store_partial_header(struct __sk_buff *skb, struct frame_parser *p,
						 __u64 off, __u64 len, __u64 n)
{
	__u64 left = n - p->pos;

	if (left == 0 || left >= FRAME_HEAD || n < len || p->copy_left || p->skip_left)
		return true;
	if (!load_bytes(skb, off + p->pos, p->head, left, FRAME_HEAD))
		return false;
	p->head_len = left;
	p->pos = p->copy_end = n;
	return true;
}

#endif
