/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sends the bytes of HTTP/2, slice by slice: a slice is what one record carries of a segment.
 */
#ifndef SIDELIGHT_HTTP2_SLICE_BPF_H
#define SIDELIGHT_HTTP2_SLICE_BPF_H

#include "frame_parser.bpf.h"
#include "frame_sync.bpf.h"
#include "http1_head.bpf.h"
#include "http2_detection.bpf.h"
#include "packet.bpf.h"
#include "parser_lock.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* Where the slice stands in the segment, and what is sent of it. */
struct http2_slice {
	__u64 off; /* of its first byte in the packet */
	__u64 len; /* bytes left of the segment */
	__u64 seq; /* of its first byte */
	__u64 skipped; /* payload before off that is not copied */
	__u64 from_seq; /* as in struct sl_data, likewise flags */
	__u64 flags;
	__u64 copy_end; /* so many bytes are copied, */
	__u64 done; /* and so many are dealt with */
	__u64 ends_stream; /* a stream ended with bytes that are not copied */
};

/* Adapts the parser to seq: bytes that are missing before it may be payload that is skipped. */
static __always_inline void move_parser(struct frame_parser *p, __u32 seq)
{
	__u32 missing = seq - p->at_seq;

	if (!missing)
		return;
	if (p->sync == FRAMES_SYNCED && p->copy_left == 0 && missing <= p->skip_left)
		p->skip_left -= missing;
	else
		reset_parser(p, seq, FRAMES_UNSYNCED);
}

/* Sets which frame types are allowed, and which are skipped or cut, in the next slice. */
static __always_inline void set_rules(struct frame_parser *p, bool is_confirmed, bool is_unsynced,
				      bool is_preface)
{
	p->allowed_types = ANY_TYPE;
	p->skipped_types = 0;
	p->cut_above = NEVER_CUT;
	p->end_stream_extra = 0;
	if (p->sync == FRAMES_SYNCED && is_confirmed) {
		p->skipped_types = SKIPPED_TYPES;
		p->cut_above = DATA_WHOLE_LAST;
		if (is_preface || (p->copy_left == 0 && p->head_len == 0))
			p->flags = SL_F_FRAME;
	} else if (p->sync == FRAMES_TENTATIVE) {
		p->allowed_types = KNOWN_TYPES;
		/* Without synchronisation, only streams that begin and end from now on count. */
		if (is_unsynced) {
			p->cut_above = DATA_WHOLE_LAST;
			p->end_stream_extra = NEVER_CUT;
		}
	}
	p->later_types = p->allowed_types;
	if (p->expects_settings)
		p->allowed_types = 1u << FRAME_SETTINGS;
}

/* Prepares the parser for the slice, and sets the record's flags if the result is ACCEPTED. */
static __always_inline enum http2_check prepare_slice(struct __sk_buff *skb, struct sock_state *st,
						      __u8 dir, __u64 off, __u64 len, __u64 seq)
{
	struct frame_parser *p = &st->parser[dir];
	bool is_preface = p->preface_left == PREFACE_WORD;
	enum http2_check check = HTTP2_ACCEPTED;

	move_parser(p, seq);
	if (!st->is_confirmed)
		check = check_candidate(skb, st, dir, p, off, len);
	if (check != HTTP2_ACCEPTED)
		return check;
	p->flags = 0;
	p->is_withheld = false;
	if (p->sync != FRAMES_SYNCED && !find_frames(st, p, dir, seq))
		return HTTP2_UNDECIDED;
	set_rules(p, st->is_confirmed, st->direction[dir].is_unsynced, is_preface);
	return HTTP2_ACCEPTED;
}

static __always_inline void lose_sync(struct frame_parser *p)
{
	p->sync = FRAMES_UNSYNCED;
	p->frame_left = 0;
	p->head_len = 0;
}

/*
 * Copies n bytes into a record with room for cap bytes. Returns NULL if they are lost, which is
 * counted.
 */
static __always_inline struct sl_data *copy_to_record(struct __sk_buff *skb, __u64 off, __u64 n,
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
	/* Keeps the compiler from merging three copies into one whose bound depends on the path. */
	asm volatile("" ::"i"(cap));
	return rec;
}

/* Sends one record of n bytes, n > 0, that reports the direction up to to_seq. */
static __always_inline void send_frames(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					__u64 flags, __u64 off, __u64 from_seq, __u64 seq, __u64 n,
					__u64 to_seq)
{
	struct direction *d = &st->direction[dir];
	struct sl_data *rec;

	if (!IS_RINGBUF)
		rec = copy_to_record(skb, off, n, SL_DATA_LARGE);
	else if (n <= SL_DATA_TINY)
		rec = copy_to_record(skb, off, n, SL_DATA_TINY);
	else if (n <= SL_DATA_SMALL)
		rec = copy_to_record(skb, off, n, SL_DATA_SMALL);
	else if (n <= SL_DATA_MEDIUM)
		rec = copy_to_record(skb, off, n, SL_DATA_MEDIUM);
	else
		rec = copy_to_record(skb, off, n, SL_DATA_LARGE);
	if (!rec)
		return;
	opaque(from_seq);
	fill_data_source(rec, skb, st, dir);
	fill_data_range(rec, dir, flags, from_seq, seq, n, to_seq);
	/* Until user space answers, everything is copied: it should read the question at once. */
	if (flags & SL_F_ASK)
		ring_submit_urgent(&rec->h);
	else
		ring_submit(&rec->h);
	d->records++;
	d->bytes_sent += n;
}

/* Removes the payload at the start of the slice that is skipped. */
static __always_inline void skip_payload(struct frame_parser *p, struct http2_slice *s)
{
	if (p->copy_left || !p->skip_left)
		return;
	s->skipped = p->skip_left < s->len ? p->skip_left : s->len;
	p->skip_left -= s->skipped;
	s->ends_stream = p->skip_left == 0 && p->ends_stream;
	s->off += s->skipped;
	s->seq += s->skipped;
	s->len -= s->skipped;
}

/* Parses the slice, and sets how much of it is copied. Returns false if it contains no frames. */
static __always_inline bool parse_slice(struct __sk_buff *skb, struct frame_parser *p,
					struct http2_slice *s)
{
	__u64 n = s->done;

	if (!parse_continued_frame(skb, p, s->off, s->len, n) ||
	    !parse_frames(skb, p, s->off, s->len, n) ||
	    !store_partial_header(skb, p, s->off, s->len, n))
		return false;
	s->copy_end = p->copy_end;
	s->done = p->pos;
	n = p->copy_left ? 0 : s->len - s->done;
	if (n > p->skip_left)
		n = p->skip_left;
	p->skip_left -= n;
	s->done += n;
	p->expects_settings &= p->allowed_types != p->later_types;
	return true;
}

/* Reports the slice in the direction's state, and sets the flags of its record. */
static __always_inline void report_slice(struct sock_state *st, __u8 dir, struct http2_slice *s)
{
	struct frame_parser *p = &st->parser[dir];
	struct direction *d = &st->direction[dir];

	/* Bytes before the slice are reported as body only if they were skipped. */
	s->from_seq = p->skipped_types ? unreported_start(d, s->seq) : (__u32)s->seq;
	if (s->copy_end)
		d->reported_seq = s->seq + s->done;
	/* Through map memory, see README.md. */
	s->flags = *(volatile __u8 *)&p->flags;
	if (p->is_withheld)
		s->copy_end = 0;
	if (d->is_unsynced)
		unsynced_bytes += s->copy_end;
	if (!st->is_confirmed)
		st->candidate_budget[dir] -= s->copy_end;
}

/*
 * Decides what is sent of the slice; the caller owns the parser. If the result is not ACCEPTED,
 * nothing is sent: REJECTED means that the connection is not HTTP/2 any more.
 */
static __always_inline enum http2_check take_slice(struct __sk_buff *skb, struct sock_state *st,
						   __u8 dir, struct http2_slice *s)
{
	struct frame_parser *p = &st->parser[dir];
	enum http2_check check = prepare_slice(skb, st, dir, s->off, s->len, s->seq);

	if (check == HTTP2_REJECTED && leave_http2(skb, st, dir))
		return HTTP2_REJECTED;
	if (check != HTTP2_ACCEPTED)
		return HTTP2_UNDECIDED;
	skip_payload(p, s);
	s->copy_end = s->done = s->len < SL_DATA_LARGE ? s->len : SL_DATA_LARGE;
	if (s->done && p->sync != FRAMES_UNSYNCED && !parse_slice(skb, p, s)) {
		if (!st->is_confirmed && p->sync == FRAMES_SYNCED && leave_http2(skb, st, dir))
			return HTTP2_REJECTED;
		lose_sync(p);
	}
	report_slice(st, dir, s);
	return HTTP2_ACCEPTED;
}

/* Sends the record of the slice, if there is anything to report. */
static __always_inline void send_slice_record(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, struct http2_slice *s, __u64 tcp_flags)
{
	struct direction *d = &st->direction[dir];

	if (s->done == s->len && tcp_flags & TCP_FIN)
		s->flags |= SL_F_FIN;
	if (s->copy_end)
		send_frames(skb, st, dir, s->flags, s->off, s->from_seq, s->seq, s->copy_end,
			    s->seq + s->done);
	else if (s->ends_stream || s->flags & SL_F_FIN ||
		 (__u32)d->next - d->reported_seq > 1u << 30)
		send_progress(st, dir, s->seq + s->done, s->flags & SL_F_FIN);
}

/*
 * Are the ingress bytes from at_seq up to seq, in front of the segment that this program has, dealt
 * with? The socket has received them, and no other program is about to send some.
 */
static __always_inline bool is_received_and_sent(struct __sk_buff *skb, const struct sock_state *st,
						 __u32 at_seq, __u32 seq)
{
	if ((__s32)(received_seq(skb, at_seq) - seq) < 0)
		return false;
	/* Loaded after rcv_nxt: who sends a part of them was counted before that was received. */
	asm volatile("" ::: "memory");
	return ingress_busy(st) <= 1;
}

/*
 * Sends the first slice of the len bytes that are left of the segment, as far as it is needed.
 * Returns how many bytes are dealt with. Without the parser, the bytes are sent as they are.
 */
static __always_inline __u32 send_http2_slice(struct __sk_buff *skb, __u8 dir, __u64 off, __u64 len,
					      __u64 seq, __u64 tcp_flags)
{
	struct http2_slice s = {.off = off, .len = len, .seq = seq, .from_seq = seq};
	struct sock_state *st = find_state(skb);
	struct frame_parser *p;
	struct direction *d;
	bool is_received;
	bool is_ours;

	if (!st)
		return len;
	p = &st->parser[dir];
	d = &st->direction[dir];
	if (d->parser_state == PARSER_UNUSED)
		init_parser_once(st, dir, seq);
	is_received = dir == SL_EGRESS || p->at_seq == (__u32)seq ||
		      is_received_and_sent(skb, st, p->at_seq, seq);
	s.copy_end = s.done = len < SL_DATA_LARGE ? len : SL_DATA_LARGE;
	is_ours = acquire_parser(st, dir, seq, is_received);
	if (is_ours) {
		enum http2_check check = take_slice(skb, st, dir, &s);

		if (check == HTTP2_REJECTED)
			return st->mute ? len : 0;
		if (check == HTTP2_UNDECIDED) {
			lose_sync(p);
			d->reported_seq = seq + len; /* these bytes are lost, and not body */
			release_parser(st, dir, seq + len);
			return len;
		}
	} else if (dir == SL_INGRESS) {
		mark_out_of_order(d, ORDER_PARSER_BUSY);
		s.flags = SL_F_OUT_OF_ORDER;
	}
	send_slice_record(skb, st, dir, &s, tcp_flags);
	if (is_ours)
		release_parser(st, dir, s.seq + s.done);
	return s.skipped + s.done;
}

/* Global functions, see README.md. */
__noinline __u32 http2_ingress(struct __sk_buff *skb, __u32 off, __u32 len, __u32 seq,
			       __u32 tcp_flags)
{
	return send_http2_slice(skb, SL_INGRESS, off, len, seq, tcp_flags);
}

__noinline __u32 http2_egress(struct __sk_buff *skb, __u32 off, __u32 len, __u32 seq,
			      __u32 tcp_flags)
{
	return send_http2_slice(skb, SL_EGRESS, off, len, seq, tcp_flags);
}

/* Frames of a short segment that send_short_frames() parses: those of a call with small messages.
 */
#define SHORT_FRAMES 6

/* Can send_short_frames() take the segment? Then it begins with a frame, and its parser is idle. */
static __always_inline bool is_short_segment(const struct sock_state *st, __u8 dir,
					     const struct segment *seg)
{
	const struct frame_parser *p = &st->parser[dir];
	__u32 len = seg->len;

	if (len > SL_DATA_MEDIUM || !st->is_confirmed || p->at_seq != seg->seq || p->frame_left ||
	    p->is_exceptional || st->direction[dir].parser_state != PARSER_IDLE ||
	    seg->tcp_flags & TCP_FIN)
		return false;
	/* One or two WINDOW_UPDATE frames, PING, or both: no record would be sent. */
	return len != 13 && len != 26 && len != 17 && len != 30;
}

/* Reserves a record for a short segment of len bytes; *ret_cap: bytes that it has room for. */
static __always_inline struct sl_data *reserve_short(__u32 len, __u64 *ret_cap)
{
	if (IS_RINGBUF && len <= SL_DATA_SMALL) {
		*ret_cap = SL_DATA_SMALL;
		return ring_reserve(sizeof(struct sl_data) + SL_DATA_SMALL);
	}
	*ret_cap = SL_DATA_MEDIUM;
	return ring_reserve(sizeof(struct sl_data) + (IS_RINGBUF ? SL_DATA_MEDIUM : len));
}

/*
 * Parses the frames of a short segment in its record. Returns how many bytes are copied, 0 if none
 * are; -1 if the segment does not end with a frame, or has too many.
 */
static __always_inline __s64 parse_short_frames(const struct sl_data *rec, __u32 len, __u64 cap)
{
	__s64 copy_end = 0;
	__u64 pos = 0;
	__u64 head;
	__u32 type;

	for (int i = 0; i < SHORT_FRAMES && pos < len; i++) {
		opaque(pos);
		if (pos > cap - sizeof(head))
			return -1;
		head = *(__u64 *)(rec->data + pos);
		pos += ((head & 0xff) << 16 | (head >> 8 & 0xff) << 8 | (head >> 16 & 0xff)) +
		       FRAME_HEAD;
		type = head >> 24 & 0xff;
		if (type > OTHER_TYPE || !(SKIPPED_TYPES >> type & 1))
			copy_end = pos;
	}
	return pos == len ? copy_end : -1;
}

/*
 * Sends a short segment of whole frames, which calls with small messages consist of: what
 * send_http2_slice() does with it, at half the cost. Returns false for other segments.
 */
static __always_inline bool send_short_frames(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, const struct segment *seg)
{
	struct direction *d = &st->direction[dir];
	__u32 end_seq = seg->seq + seg->len;
	struct sl_data *rec;
	__s64 copy_end;
	__u64 cap;

	if (!is_short_segment(st, dir, seg))
		return false;
	rec = reserve_short(seg->len, &cap);
	if (!rec)
		return false;
	if (!load_bytes(skb, seg->off, rec->data, seg->len, cap))
		goto discard;
	fill_data_source(rec, skb, st, dir);
	copy_end = parse_short_frames(rec, seg->len, cap);
	if (copy_end < 0)
		goto discard;
	st->parser[dir].at_seq = end_seq;
	if (!copy_end) {
		ring_discard(&rec->h);
		return true;
	}
	fill_data_range(rec, dir, SL_F_FRAME, unreported_start(d, seg->seq), seg->seq, copy_end,
			end_seq);
	d->reported_seq = end_seq;
	ring_submit(&rec->h);
	d->records++;
	d->bytes_sent += copy_end;
	return true;

discard:
	ring_discard(&rec->h);
	return false;
}

/*
 * Slices that one run of a program sends. With 33 tail calls that is enough for the frames of any
 * segment: 8,400 frames of 9 bytes, or half a megabyte (BIG TCP) of which nothing is skipped.
 */
#define RUN_SLICES 32

/* Sends the next slices of the segment, and advances seg. Returns false at the segment's end. */
static __always_inline bool send_http2_slices(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, struct segment *seg)
{
	__u32 done;

	for (int i = 0; i < RUN_SLICES && st->is_http2 && seg->len; i++) {
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
