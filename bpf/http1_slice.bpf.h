/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sends the bytes of HTTP/1, slice by slice: a slice is what one record carries of a segment.
 */
#ifndef SIDELIGHT_HTTP1_SLICE_BPF_H
#define SIDELIGHT_HTTP1_SLICE_BPF_H

#include "cursor.bpf.h"
#include "first_bytes.bpf.h"
#include "http1_head.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* Room behind the bytes of a slice, since its first words are read whole. */
#define SLICE_PADDING 8

/*
 * A segment of a loopback device has up to 131 KB, more than 33 tail calls reach with one slice
 * each. The first CUT_CALLS of them end a slice behind each message. After that, a call sends the
 * slice and up to PIPELINED_SLICES more, which are not parsed.
 */
#define CUT_CALLS	 24
#define PIPELINED_SLICES 7
#define PIPELINED_SLICE	 (SL_DATA_LARGE - SLICE_PADDING)

/* The end of a head. */
#define CRLF_CRLF ('\r' | '\n' << 8 | '\r' << 16 | '\n' << 24)

/* What is sent of a segment in one record. */
struct http1_slice {
	struct sl_data *rec;
	__u64 cap; /* bytes that the record has room for */
	__u64 n; /* bytes that are copied */
	__u64 skip; /* bytes of body behind them that are not copied */
	__u8 why; /* what classify_flight() returned */
	bool is_response;
	bool is_end_known; /* the end of the message is known */
	bool is_urgent; /* user space should read it at once */
};

/* Reserves a record for at most len bytes. Returns false if the ring is full. */
static __always_inline bool reserve_slice(struct http1_slice *s, __u32 len)
{
	s->n = len;
	if (IS_RINGBUF && len <= SL_DATA_SMALL - SLICE_PADDING) {
		s->rec = ring_reserve(sizeof(*s->rec) + SL_DATA_SMALL);
		s->cap = SL_DATA_SMALL;
	} else if (IS_RINGBUF && len <= SL_DATA_MEDIUM - SLICE_PADDING) {
		s->rec = ring_reserve(sizeof(*s->rec) + SL_DATA_MEDIUM);
		s->cap = SL_DATA_MEDIUM;
	} else {
		s->cap = SL_DATA_LARGE;
		if (s->n > s->cap - SLICE_PADDING)
			s->n = s->cap - SLICE_PADDING;
		s->rec = ring_reserve(sizeof(*s->rec) + (IS_RINGBUF ? s->cap : s->n));
	}
	return s->rec;
}

/* Counts a slice for which the ring has no room. */
static __always_inline void count_lost_slice(const struct sock_state *st, __u8 dir)
{
	const struct direction *d = &st->direction[dir];

	if (is_request_dir(st, dir) && (d->at_message_start || d->is_flight_start))
		count_exact(SL_C_LOST_REQUEST);
	else
		count_exact(SL_C_LOST_DATA);
}

/*
 * The rest of the segment is lost. It counts as reported, so that user space sees a sequence gap,
 * and does not take it for body.
 */
static __always_inline void lose_rest(struct direction *d)
{
	d->reported_seq = d->next;
	d->at_message_start = false;
	d->is_flight_start = false;
}

/* Does a message begin here that may have a body? Requests have one only if they begin with P. */
static __always_inline bool may_have_body(const struct direction *d, const struct http1_slice *s)
{
	return (s->is_response || s->rec->data[0] == 'P') &&
	       d->at_message_start | d->is_flight_start;
}

/*
 * Should the head be scanned? Only in a long segment, or if the segment ends with the head. left:
 * bytes left of the segment.
 */
static __always_inline bool is_scan_useful(const struct http1_slice *s, __u32 left)
{
	__u64 end = s->n - 4; /* very large if n is below 4 */
	__u32 last4 = 0;

	opaque(end);
	if (end <= s->cap - SLICE_PADDING - 4)
		last4 = *(__u32 *)(s->rec->data + end);
	return left > SL_DATA_MEDIUM - SLICE_PADDING || s->why || last4 == CRLF_CRLF;
}

/*
 * Do pipelined messages begin here? A request or response starts without a new flight, or a request
 * without body, which others may follow.
 */
static __always_inline bool starts_pipeline(const struct direction *d, const struct http1_slice *s)
{
	return s->is_response || starts_request(s->rec->data) ||
	       (d->is_flight_start && s->rec->data[0] == 'G');
}

/* A request that begins without a new flight was pipelined, and others may follow it. */
static __always_inline void detect_pipelining(struct sock_state *st, __u8 dir, struct direction *d,
					      const struct http1_slice *s)
{
	if (d->is_flight_start || d->is_pipelined || s->n < 8 || !is_request_dir(st, dir) ||
	    !starts_request(s->rec->data))
		return;
	set_pipelined(st, dir);
	d->budget = PIPELINE_BUDGET;
}

/*
 * Ends the slice behind the message, or behind the head if the body is longer than the slice. If
 * many short messages follow each other, all of them are copied instead.
 */
static __always_inline void cut_message(struct __sk_buff *skb, struct direction *d,
					struct http1_slice *s, const struct segment *seg,
					__u64 head, __u64 length)
{
	/* A Content-Length without a body: HEAD, 304. */
	if (s->is_response && length > s->n - head &&
	    response_at(skb, seg->off + head, seg->len - head))
		length = 0;
	s->is_end_known = true;
	if (length > s->n - head) {
		s->n = head;
		s->skip = length;
	} else if (length == s->n - head || cursor_calls(skb) < CUT_CALLS) {
		s->n = head + length;
	} else {
		s->is_end_known = false;
		d->budget = PIPELINE_BUDGET;
	}
}

/* data: at least 12 bytes of a response. 204 and 304 have no body (RFC 9110 section 6.4.1). */
static __always_inline bool is_status_without_body(const __u8 *data)
{
	__u32 status = *(const __u32 *)(data + 8) >> 8;

	return status == ('2' | '0' << 8 | '4' << 16) || status == ('3' | '0' << 8 | '4' << 16);
}

/* Scans the head at the start of the slice, and decides how much of its body is copied. */
static __always_inline void scan_message(struct __sk_buff *skb, const struct sock_state *st,
					 __u8 dir, struct direction *d, struct http1_slice *s,
					 const struct segment *seg)
{
	__u64 found = scan_head(skb, seg->off, s->n, s->is_response);
	__u64 head = SCAN_HEAD(found);
	__u64 length = SCAN_LENGTH(found);

	if (s->is_response && (st->is_head[!dir] || is_status_without_body(s->rec->data)))
		length = 1;
	if (head && head <= s->n && length)
		cut_message(skb, d, s, seg, head, length - 1);
	else if (head && d->budget <= FLIGHT_BUDGET)
		d->budget = BODY_BUDGET;
	/* After an upgrade, another protocol follows the head. */
	if (s->why && head) {
		s->n = head;
		s->skip = 0;
		s->is_end_known = true;
	}
}

/* Passes the values through map memory, see README.md. */
static __always_inline void join_paths(struct http1_slice *s)
{
	*(volatile __u64 *)&s->rec->seq = s->skip;
	*(volatile __u32 *)&s->rec->to_seq = s->n;
	*(volatile __u8 *)&s->rec->h.why = s->why;
	s->skip = *(volatile __u64 *)&s->rec->seq;
	s->n = *(volatile __u32 *)&s->rec->to_seq;
	s->why = *(volatile __u8 *)&s->rec->h.why;
}

/* Stores that body is skipped. Returns how many bytes of it are in the segment. left: its rest. */
static __always_inline __u32 skip_in_segment(struct direction *d, const struct http1_slice *s,
					     __u32 seq, __u32 left)
{
	if (!s->skip)
		return 0;
	d->is_body_expected = left == 0;
	if (s->skip <= left)
		return s->skip;
	d->skip_to = position(d, seq) + s->skip;
	return left;
}

/* Submits the record, and advances seg behind the bytes that it reports. */
static __always_inline void submit_slice(struct direction *d, __u8 dir, const struct http1_slice *s,
					 struct segment *seg)
{
	__u32 left = seg->len - s->n;
	__u32 seq = seg->seq;
	__u32 to_seq = seq + s->n;
	__u32 skipped;
	__u32 from_seq;

	d->budget = d->budget > s->n ? d->budget - s->n : 0;
	d->is_flight_start = false;
	skipped = skip_in_segment(d, s, to_seq, left);
	left -= skipped;
	to_seq += skipped;
	from_seq = unreported_start(d, seq);
	d->reported_seq = to_seq;
	d->records++;
	d->bytes_sent += s->n;
	fill_data_range(s->rec, dir, left == 0 && seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0, from_seq,
			seq, s->n, to_seq);
	if (s->is_urgent)
		ring_submit_urgent(&s->rec->h);
	else
		ring_submit(&s->rec->h);
	seg->off += s->n + skipped;
	seg->seq = to_seq;
	seg->len = left;
}

/* Ends HTTP/1 after an upgrade. Returns false if the connection is muted. */
static __always_inline bool end_http1(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				      __u8 why, __u32 end_seq)
{
	if (st->is_connect[!dir]) {
		mute(skb, st, why);
		return false;
	}
	upgrade_to_http2(st, dir, st->direction[dir].at_message_start ? end_seq : 0);
	return true;
}

/* Sends the first slice of the rest of the segment. Returns false if nothing more of it is sent. */
static __always_inline bool send_slice(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				       struct segment *seg)
{
	struct direction *d = &st->direction[dir];
	struct http1_slice s = {};

	if (!reserve_slice(&s, seg->len)) {
		count_lost_slice(st, dir);
		lose_rest(d);
		return false;
	}
	if (!load_bytes(skb, seg->off, s.rec->data, s.n, s.cap - SLICE_PADDING)) {
		count_exact(SL_C_LOST_HELPER);
		ring_discard(&s.rec->h);
		lose_rest(d);
		return false;
	}
	fill_data_source(s.rec, skb, st, dir);
	s.is_response = s.n >= 12 && starts_response(*(__u64 *)s.rec->data);
	if (d->is_flight_start) {
		s.why = classify_flight(skb, st, dir, seg->seq, s.rec->data, s.n, s.is_response);
		if (s.why && (s.why != SL_MUTE_UPGRADE || st->protocol == PROTOCOL_TLS)) {
			ring_discard(&s.rec->h);
			if (s.why == FLIGHT_HTTP2 || s.why == FLIGHT_PROXY)
				return true;
			mute(skb, st, s.why);
			return false;
		}
	}
	if (st->protocol == PROTOCOL_TLS) {
		/* Once for some of the segments: user space may say that the rest is body. */
		s.is_urgent = is_long_flight(d) && (TLS_BUDGET - d->budget) >> 16 & 1;
	} else {
		detect_pipelining(st, dir, d, &s);
		if (may_have_body(d, &s)) {
			if (is_scan_useful(&s, seg->len))
				scan_message(skb, st, dir, d, &s, seg);
		} else if (starts_pipeline(d, &s)) {
			d->budget = PIPELINE_BUDGET;
		}
	}
	d->at_message_start = s.is_end_known;
	join_paths(&s);
	submit_slice(d, dir, &s, seg);
	if (s.why && !end_http1(skb, st, dir, s.why, seg->seq))
		return false;
	return seg->len > 0;
}

/*
 * Reduces the segment to the end of a write, after the budget is spent. Returns false if nothing of
 * it has to be sent.
 */
static __always_inline bool keep_write_end(const struct direction *d, struct segment *seg)
{
	__u32 tail = SL_DATA_SMALL - SLICE_PADDING;

	if (!(seg->tcp_flags & (TCP_PSH | TCP_FIN)) && (__u32)d->next - d->reported_seq < 1u << 30)
		return false;
	if (seg->len > tail) {
		seg->seq += seg->len - tail;
		seg->off += seg->len - tail;
		seg->len = tail;
	}
	return true;
}

/*
 * Sends the next PIPELINED_SLICE bytes at off in the packet, which belong to pipelined messages.
 * Returns how many bytes were sent; 0: send_slice() has to find out why not. A global function, see
 * README.md.
 */
__noinline __u32 send_pipelined_slice(struct __sk_buff *skb, __u32 is_egress, __u32 off, __u32 seq)
{
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	struct sock_state *st = find_state(skb);
	struct direction *d;
	struct sl_data *rec;

	if (!st)
		return 0;
	d = &st->direction[dir];
	if (d->budget <= FLIGHT_BUDGET || d->at_message_start || d->is_flight_start ||
	    st->is_http2 || st->upgrade_by || st->mute)
		return 0;
	rec = ring_reserve(sizeof(*rec) + SL_DATA_LARGE);
	if (!rec)
		return 0;
	if (bpf_skb_load_bytes(skb, off, rec->data, PIPELINED_SLICE)) {
		ring_discard(&rec->h);
		return 0;
	}
	fill_data_source(rec, skb, st, dir);
	fill_data_range(rec, dir, 0, unreported_start(d, seq), seq, PIPELINED_SLICE,
			seq + PIPELINED_SLICE);
	d->reported_seq = seq + PIPELINED_SLICE;
	d->budget -= PIPELINED_SLICE;
	d->records++;
	d->bytes_sent += PIPELINED_SLICE;
	ring_submit(&rec->h);
	return PIPELINED_SLICE;
}

/* Sends the next slices of pipelined messages, and advances seg. */
static __always_inline void send_pipelined_slices(struct __sk_buff *skb, __u8 dir,
						  struct segment *seg)
{
	for (int i = 0; i < PIPELINED_SLICES && seg->len > 2 * PIPELINED_SLICE; i++) {
		__u32 n = send_pipelined_slice(skb, dir == SL_EGRESS, seg->off, seg->seq);

		if (!n)
			return;
		seg->off += n;
		seg->seq += n;
		seg->len -= n;
	}
}

/*
 * Sends the next slice of the rest of the segment, and advances seg. Returns false if nothing more
 * of it is sent.
 */
static __always_inline bool send_next_slice(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					    struct segment *seg)
{
	struct direction *d = &st->direction[dir];

	/* A response starts without a new flight, because its request was pipelined. */
	if (d->budget == 0 && !d->at_message_start && response_at(skb, seg->off, seg->len)) {
		d->budget = FLIGHT_BUDGET;
		d->at_message_start = true;
	}
	if (d->budget == 0 && !d->at_message_start && !keep_write_end(d, seg))
		return false;
	if (!send_slice(skb, st, dir, seg))
		return false;
	if (d->budget > FLIGHT_BUDGET && !d->at_message_start)
		send_pipelined_slices(skb, dir, seg);
	return true;
}

#endif
