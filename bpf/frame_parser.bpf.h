/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The frame parser of one direction of an HTTP/2 connection: it reads frame headers, and decides
 * which bytes are copied. Its synchronisation with the stream has three states:
 *
 *     FRAMES_SYNCED      copy_left, skip_left and head describe the byte at at_seq. The parser
 *                        leaves this state when bytes are missing, unless all of them are payload
 *                        that is skipped anyway.
 *     FRAMES_UNSYNCED    Frame boundaries are unknown, so everything is copied. The parser leaves
 *                        this state with a record that asks user space for them (SL_F_ASK).
 *     FRAMES_TENTATIVE   The parser assumes that the record that asked starts with a frame. It
 *                        parses from there, but skips nothing, unless the direction was never
 *                        synchronised: then user space can't use what is skipped, either. The
 *                        parser becomes FRAMES_SYNCED when user space confirms the assumption, or
 *                        names a frame that is still to come.
 *
 * Each slice is checked against at_seq. So it makes no difference why bytes are missing: after a
 * sequence gap, after a helper that failed, or because another CPU has them (parser_lock.bpf.h).
 */
#ifndef SIDELIGHT_FRAME_PARSER_BPF_H
#define SIDELIGHT_FRAME_PARSER_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "state.bpf.h"

/* RFC 9113 sections 4.1, 6, 3.4 */
#define FRAME_HEAD	9
#define FRAME_DATA	0
#define FRAME_SETTINGS	4
#define FRAME_LAST	0x10 /* the highest registered type: PRIORITY_UPDATE (RFC 9218) */
#define OTHER_TYPE	31 /* stands for all types above it */
#define ZEROS_TYPE	30 /* stands for a header of zeros, which occurs in bodies only */
#define KNOWN_TYPES	((2u << FRAME_LAST) - 1)
#define ANY_TYPE	~0u
#define FLAG_END_STREAM 0x01
#define PREFACE		24
#define PREFACE_WORD	8 /* length of its beginning, which is compared */

/* PRIORITY, PING and WINDOW_UPDATE frames are not needed for any metric. */
#define SKIPPED_TYPES (1u << 2 | 1u << 6 | 1u << 8)

/* Bytes that are copied of a DATA payload: padding length, gRPC message header, and a few more. */
#define DATA_KEPT 16
/*
 * DATA payloads above these lengths are skipped. At the end of a segment that only saves bytes.
 * Before other frames it costs an additional record, so it has to save a whole record.
 */
#define DATA_WHOLE_LAST 512
#define DATA_WHOLE	SL_DATA_LARGE

/* No frame is as long as this. */
#define NEVER_CUT (1u << 24)

/* Frames in one slice. */
#define SLICE_FRAMES 8

static __always_inline void reset_parser(struct frame_parser *p, __u32 seq, enum frames_sync sync)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->at_seq = seq;
	p->sync = sync;
}

/* Are the bytes from at_seq up to seq + len part of a payload that is skipped? */
static __always_inline bool is_skipped_payload(const struct frame_parser *p, __u32 seq, __u32 len)
{
	return p->sync == FRAMES_SYNCED && p->copy_left == 0 && seq - p->at_seq <= p->skip_left &&
	       seq - p->at_seq + len <= p->skip_left;
}

/*
 * Initialises the parser at seq, the direction's first byte of HTTP/2. Each direction initialises
 * only its own parser, because at the start both ends may send at once, on two CPUs.
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
		p->expects_settings = true; /* RFC 9113 section 3.4 */
	} else {
		p->sync = FRAMES_UNSYNCED;
	}
	/* If the start of the connection was seen, user space parses all frames: it needs all
	 * bytes. */
	d->is_unsynced = p->sync == FRAMES_UNSYNCED && st->start == START_MISSED;
	d->parser_state = PARSER_IDLE;
}

/* Reduces the copy of a DATA frame to its first bytes if its payload is long enough. */
static __always_inline void cut_data(volatile struct frame_parser *p, __u32 size, __u32 left)
{
	__u32 cut = left > DATA_WHOLE ? DATA_WHOLE : left;

	if (size >= cut && size > p->cut_above + p->ends_stream * p->end_stream_extra) {
		p->copy_left = DATA_KEPT;
		p->skip_left = size - DATA_KEPT;
	}
}

/*
 * Parses a frame header that ends at p->pos of the slice, and decides how much of the frame is
 * copied. head: the header, first byte lowest. len: bytes left of the segment; n: of these, the
 * bytes of the slice. Returns false if this is no frame header.
 *
 * Its results pass through map memory, see README.md.
 */
static __always_inline bool parse_frame_header(volatile struct frame_parser *p, __u64 head,
					       __u32 len, __u32 n)
{
	__u32 size = (head & 0xff) << 16 | (head >> 8 & 0xff) << 8 | (head >> 16 & 0xff);
	__u32 type = head >> 24 & 0xff;
	__u32 pos = p->pos;
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
	if (type == FRAME_DATA)
		cut_data(p, size, len - pos);
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

/* Parses the rest of a frame, or of a frame header, that began in an earlier slice. */
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
		/* Its header was copied in part, so the frame is copied whatever its type is. */
		p->copy_end = p->pos;
	}
	return true;
}

/*
 * Parses the frames that begin in a slice of n bytes; len bytes are left of the segment. Sets
 * p->pos to the end of what was parsed, and p->copy_end to the end of what has to be copied.
 * Returns false if the bytes are no frames.
 */
static __always_inline bool parse_frames(struct __sk_buff *skb, volatile struct frame_parser *p,
					 __u64 off, __u32 len, __u32 n)
{
	__u32 left;
	__u64 pos;
	__u64 at;

	p->chunk_pos = p->pos + 1; /* marks the chunk as empty */
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

/* Stores the beginning of a frame header at the end of the segment, for the next segment. */
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
