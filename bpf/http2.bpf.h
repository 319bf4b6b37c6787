/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * HTTP/2: when a connection speaks it, and the sending of its bytes.
 *
 * It may be HTTP/2 by the start of the client's preface, and by first bytes of other kinds:
 * of a server that speaks first, after a 101, of a connection older than we are.
 * Until that is decided nothing is told to be body, and not much is sent.
 *
 *     not is_http2 --> is_http2 --> is_http2, is_confirmed
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
 * the flags of the record, if it is HTTP2_ACCEPTED.
 */
static __always_inline enum http2_check prepare_slice(struct __sk_buff *skb, struct sock_state *st,
						      __u8 dir, __u64 off, __u64 len, __u64 seq)
{
	struct frame_parser *p = &st->parser[dir];
	__u32 missing = (__u32)seq - p->at_seq;
	bool is_start = p->preface_left == PREFACE_WORD;
	enum http2_check check = HTTP2_ACCEPTED;

	if (missing) {
		if (p->sync == FRAMES_SYNCED && p->copy_left == 0 && missing <= p->skip_left) {
			p->skip_left -= missing;
		} else {
			reset_parser(p, seq, FRAMES_UNSYNCED);
		}
	}
	if (!st->is_confirmed)
		check = check_candidate(skb, st, dir, p, off, len);
	if (check != HTTP2_ACCEPTED)
		return check;
	p->flags = 0;
	p->is_withheld = false;
	if (p->sync != FRAMES_SYNCED && !find_frames(st, p, dir, seq))
		return HTTP2_UNDECIDED;
	p->allowed_types = ANY_TYPE;
	p->skipped_types = 0;
	p->cut_above = NEVER_CUT;
	p->end_stream_extra = 0;
	if (p->sync == FRAMES_SYNCED && st->is_confirmed) {
		p->skipped_types = IGNORED_TYPES;
		p->cut_above = DATA_WHOLE_LAST;
		if (is_start || (p->copy_left == 0 && p->head_len == 0))
			p->flags = SL_F_FRAME;
	} else if (p->sync == FRAMES_TENTATIVE) {
		p->allowed_types = KNOWN_TYPES;
		/* Who was never followed can lose nothing, but what is begun now and ends. */
		if (st->direction[dir].is_unsynced) {
			p->cut_above = DATA_WHOLE_LAST;
			p->end_stream_extra = NEVER_CUT;
		}
	}
	p->later_types = p->allowed_types;
	if (p->expects_settings)
		p->allowed_types = 1u << FRAME_SETTINGS;
	return HTTP2_ACCEPTED;
}

/* Nothing of the segment up to end_seq is sent, nor vouched for. */
static __always_inline void lose_frames(struct direction *d, struct frame_parser *p, __u32 end_seq)
{
	p->sync = FRAMES_UNSYNCED;
	p->frame_left = 0;
	p->head_len = 0;
	d->reported_seq = end_seq;
}

/* A record with room for cap bytes and the n bytes at off; NULL: they are lost, which is counted.
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
	/* Keeps the compiler from making one copy of three, whose bound depends on the path. */
	asm volatile("" ::"i"(cap));
	return rec;
}

/* One record of n bytes, n > 0, with the news that the direction has come to to_seq. */
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
	/* All is sent until somebody answers. */
	if (flags & SL_F_ASK)
		ring_submit_urgent(&rec->h);
	else
		ring_submit(&rec->h);
	d->records++;
	d->bytes_sent += n;
}

/*
 * Sends the first piece of len bytes, as far as it is worth a copy; returns how many of them are
 * done with. Bytes from before the place, and those of a second CPU, are sent as they are.
 */
static __always_inline __u32 send_http2_slice(struct __sk_buff *skb, __u8 dir, __u64 off, __u64 len,
					      __u64 seq, __u64 tcp_flags)
{
	struct sock_state *st = find_state(skb);
	struct frame_parser *p;
	struct direction *d;
	__u64 has_end = 0; /* a stream ended with bytes that are not sent */
	__u64 flags = 0;
	__u64 start = 0;
	__u64 from_seq;
	enum http2_check check;
	bool is_received;
	bool is_ours;
	__u64 end;
	__u64 done;
	__u64 n;

	if (!st)
		return len;
	p = &st->parser[dir];
	d = &st->direction[dir];
	if (d->parser_state == PARSER_UNUSED)
		init_parser_once(st, dir, seq);
	is_received = dir == SL_EGRESS || p->at_seq == (__u32)seq ||
		      (__s32)(received_seq(skb, p->at_seq) - (__u32)seq) >= 0;
	end = done = len < SL_DATA_LARGE ? len : SL_DATA_LARGE;
	from_seq = seq;
	is_ours = acquire_parser(st, dir, seq, is_received);
	if (is_ours) {
		check = prepare_slice(skb, st, dir, off, len, seq);
		if (check == HTTP2_REJECTED && leave_http2(skb, st, dir))
			return st->mute ? len : 0;
		if (check != HTTP2_ACCEPTED) {
			lose_frames(d, p, seq + len);
			release_parser(st, dir, seq + len);
			return len;
		}
		if (p->copy_left == 0 && p->skip_left) {
			start = p->skip_left < len ? p->skip_left : len;
			p->skip_left -= start;
			has_end = p->skip_left == 0 && p->ends_stream;
			off += start;
			seq += start;
			len -= start;
		}
		n = len < SL_DATA_LARGE ? len : SL_DATA_LARGE;
		end = done = n;
		if (n == 0 || p->sync == FRAMES_UNSYNCED) {
			/* All of it is sent. */
		} else if (parse_continued_frame(skb, p, off, len, n) &&
			   parse_frames(skb, p, off, len, n) &&
			   store_partial_header(skb, p, off, len, n)) {
			end = p->copy_end;
			done = p->pos;
			n = p->copy_left ? 0 : len - done;
			if (n > p->skip_left)
				n = p->skip_left;
			p->skip_left -= n;
			done += n;
			p->expects_settings &= p->allowed_types != p->later_types;
		} else if (!st->is_confirmed && p->sync == FRAMES_SYNCED &&
			   leave_http2(skb, st, dir)) {
			return st->mute ? len : 0;
		} else {
			p->sync = FRAMES_UNSYNCED;
			p->frame_left = 0;
			p->head_len = 0;
		}
		/* Only what is known to be skipped is told as such. */
		from_seq = p->skipped_types ? unreported_start(d, seq) : (__u32)seq;
		if (end)
			d->reported_seq = seq + done;
		/* Through map memory, so that the verifier has one state behind it. */
		flags = *(volatile __u8 *)&p->flags;
		if (p->is_withheld)
			end = 0;
		if (d->is_unsynced)
			unplaced_bytes += end;
		if (!st->is_confirmed)
			st->candidate_budget[dir] -= end;
	} else if (dir == SL_INGRESS) {
		mark_out_of_order(d, ORDER_PARSER_BUSY);
		flags = SL_F_AHEAD;
	}
	if (done == len && tcp_flags & TCP_FIN)
		flags |= SL_F_FIN;
	if (end)
		send_frames(skb, st, dir, flags, off, from_seq, seq, end, seq + done);
	else if (has_end || flags & SL_F_FIN || (__u32)d->next - d->reported_seq > 1u << 30)
		send_progress(st, dir, seq + done, flags & SL_F_FIN);
	if (is_ours)
		release_parser(st, dir, seq + done);
	return start + done;
}

/* Global functions: the verifier takes them by themselves, see scan_head(). */
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

/* Frames of a short segment that are looked at without ado: those of a call, WINDOW_UPDATE, PING.
 */
#define SHORT_FRAMES 6

/*
 * The whole of a short segment of whole frames, which is what calls with small messages are made
 * of: what send_http2_slice() does of it, for half the price. False: it is something else.
 */
static __always_inline bool send_short_frames(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, const struct segment *seg)
{
	struct frame_parser *p = &st->parser[dir];
	struct direction *d = &st->direction[dir];
	__u32 len = seg->len;
	struct sl_data *rec;
	__u64 useful = 0;
	__u64 pos = 0;
	__u64 head;
	__u32 type;
	__u64 cap;

	if (len > SL_DATA_MEDIUM || !st->is_confirmed || p->at_seq != seg->seq || p->frame_left ||
	    p->is_exceptional || d->parser_state != PARSER_IDLE || seg->tcp_flags & TCP_FIN)
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
	fill_data_source(rec, skb, st, dir);
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
		p->at_seq = seg->seq + len;
		return true;
	}
	fill_data_range(rec, dir, SL_F_FRAME, unreported_start(d, seg->seq), seg->seq, useful,
			seg->seq + len);
	d->reported_seq = seg->seq + len;
	ring_submit(&rec->h);
	d->records++;
	d->bytes_sent += useful;
	p->at_seq = seg->seq + len;
	return true;

discard:
	ring_discard(&rec->h);
	return false;
}

/*
 * Pieces that one run of a program sends. With 33 tail calls that is enough for the frames of any
 * segment: 8,400 frames of 9 bytes, or half a megabyte (BIG TCP) that is not to be skipped.
 */
#define RUN_SLICES 32

/* The next pieces of the segment, which are taken off. False: nothing more of it is to be sent. */
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
