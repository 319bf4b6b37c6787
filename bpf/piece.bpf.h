/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sending what is left of a segment, piece by piece: which of its bytes are
 * worth a copy, and when a connection is no HTTP and gets no more of them.
 */
#ifndef SIDELIGHT_PIECE_BPF_H
#define SIDELIGHT_PIECE_BPF_H

#include "http1.bpf.h"
#include "http2.bpf.h"
#include "packet.bpf.h"
#include "proxy.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* Room kept behind the bytes of a piece: its first words are read whole. */
#define SLICE_PADDING 8

/* Of classify_flight(): it may be HTTP/2, and is nothing of what is in this file. */
#define FLIGHT_HTTP2 SL_MUTE_MAX
/* Likewise: a PROXY header may begin. */
#define FLIGHT_PROXY (SL_MUTE_MAX + 1)

/*
 * Which of the first eight bytes are those of a piece of n: what is behind them is left from an
 * older record. Without a branch, which the verifier would follow to the end of the program twice.
 */
static __always_inline __u64 first_mask(__u64 n)
{
	__u64 is_short;

	opaque(n);
	n -= 8;
	is_short = (__s64)n >> 63;
	opaque(is_short);
	return ~0ull >> ((-n * 8) & is_short & 63);
}

/*
 * What begins with the n first bytes of a turn, of which `first` has up to eight, on a connection
 * without a response of HTTP/1 so far? As classify_flight(). A global function: the verifier takes
 * it by itself, see scan_head().
 */
__noinline __u32 classify_first_bytes(struct __sk_buff *skb, __u32 is_egress, __u32 seq,
				      __u64 first, __u32 n)
{
	struct sock_state *st = find_state(skb);
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	bool is_from_client;

	if (!st)
		return 0;
	is_from_client = st->role && dir == (st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS);
	if ((first & 0xffff) == (0x16 | 0x03 << 8))
		return SL_MUTE_TLS;
	if ((!st->role || is_from_client) &&
	    starts_proxy_header(&st->direction[dir], seq, first, n))
		return FLIGHT_PROXY;
	if (starts_http2(st, dir, seq, first, n))
		return FLIGHT_HTTP2;
	/* Answers tell what is spoken; one that is cut short proves nothing. */
	if (may_start_response(first, n) || is_from_client)
		return 0;
	if (++st->unknown_flights >= UNKNOWN_FLIGHTS)
		return SL_MUTE_UNKNOWN;
	return 0;
}

static __always_inline bool is_request_dir(const struct sock_state *st, __u8 dir)
{
	return dir == (st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS);
}

/*
 * Looks at the first bytes of a turn. Returns the reason to mute before these
 * bytes are sent, or 0; SL_MUTE_UPGRADE is one to mute after them.
 */
static __always_inline __u8 classify_flight(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					    __u32 seq, const __u8 *buf, __u32 n, bool is_response)
{
	__u64 first = *(const __u64 *)buf & first_mask(n);

	if (is_response) {
		set_flag(&st->is_http, true);
		/* 101 Switching Protocols, and any 2xx to CONNECT (RFC 9110 sections 15.2.2, 9.3.6)
		 */
		if ((buf[9] == '1' && buf[10] == '0' && buf[11] == '1') ||
		    (st->is_connect[!dir] && buf[9] == '2'))
			return SL_MUTE_UPGRADE;
		return 0;
	}
	set_flag(&st->is_head[dir], (__u32)first == ('H' | 'E' << 8 | 'A' << 16 | 'D' << 24));
	set_flag(&st->is_connect[dir], first == WORD_CONNECT);
	/* An upload is none of the pipelined messages that came before it. */
	if ((first & 0xff) == 'P' && is_request_dir(st, dir))
		st->direction[dir].budget = FLIGHT_BUDGET;
	if (st->is_http)
		return 0;
	return classify_first_bytes(skb, dir == SL_EGRESS, seq, first, n);
}

/*
 * Does a response start where body was announced? Then that was a length without
 * a body (HEAD, 304), or an upload that was refused.
 */
static __always_inline bool response_at(struct __sk_buff *skb, __u32 off, __u32 len)
{
	__u64 first;

	if (len < 12 || bpf_skb_load_bytes(skb, off, &first, sizeof(first)))
		return false;
	return starts_response(first);
}

/*
 * May a request start where its predecessor's body was announced? Then that was refused before a
 * byte of it was sent (Expect: 100-continue). User space says whether it is one.
 */
static __always_inline bool request_at(struct __sk_buff *skb, __u32 off, __u32 len)
{
	__u64 first;

	if (len < 16 || bpf_skb_load_bytes(skb, off, &first, sizeof(first)))
		return false;
	/* Three letters, as all methods that are known begin. */
	return (first & WORD(0xe0, 0xe0, 0xe0, 0, 0, 0, 0, 0)) ==
	       WORD(0x40, 0x40, 0x40, 0, 0, 0, 0, 0);
}

/* Does a request begin, with one of the methods that clients pipeline? */
static __always_inline bool starts_request(const __u8 *data)
{
	__u32 first = *(const __u32 *)data;

	return first == WORD_4('G', 'E', 'T', ' ') || first == WORD_4('P', 'O', 'S', 'T') ||
	       first == WORD_4('P', 'U', 'T', ' ') || first == WORD_4('H', 'E', 'A', 'D') ||
	       first == WORD_4('D', 'E', 'L', 'E') || first == WORD_4('P', 'A', 'T', 'C');
}

#define PIPELINED_SLICE (SL_DATA_LARGE - SLICE_PADDING)

/*
 * A loopback device has segments of 131 KB, more than 33 tail calls reach with one piece each. The
 * first CUT_CALLS of them cut behind each message; then a call sends 1 + PIPELINED_SLICES pieces.
 */
#define CUT_CALLS	 24
#define PIPELINED_SLICES 7

/*
 * Sends the next PIPELINED_SLICE bytes at off in the packet, which are of pipelined messages.
 * Returns how many bytes it has sent; 0: send_slice() finds out why not. A global function: see
 * scan_head().
 */
__noinline __u32 send_pipelined_slice(struct __sk_buff *skb, __u32 is_egress, __u32 off, __u32 seq)
{
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	struct sock_state *st = find_state(skb);
	struct sl_data *rec;
	struct direction *d;

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

/*
 * Sends the first piece of what is left of the segment, and takes it off.
 * False: nothing more of this segment is to be sent.
 */
static __always_inline bool send_slice(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
				       struct segment *seg)
{
	struct direction *d = &st->direction[dir];
	__u32 left = seg->len;
	__u32 off = seg->off;
	__u32 seq = seg->seq;
	__u32 from_seq;
	__u32 to_seq;
	bool is_response;
	struct sl_data *rec;
	__u64 n = left;
	__u64 cap;
	__u64 skip = 0;
	bool is_known = false;
	__u8 why = 0;

	if (IS_RINGBUF && left <= SL_DATA_SMALL - SLICE_PADDING) {
		rec = ring_reserve(sizeof(*rec) + SL_DATA_SMALL);
		cap = SL_DATA_SMALL;
	} else if (IS_RINGBUF && left <= SL_DATA_MEDIUM - SLICE_PADDING) {
		rec = ring_reserve(sizeof(*rec) + SL_DATA_MEDIUM);
		cap = SL_DATA_MEDIUM;
	} else {
		cap = SL_DATA_LARGE;
		if (n > cap - SLICE_PADDING)
			n = cap - SLICE_PADDING;
		rec = ring_reserve(sizeof(*rec) + (IS_RINGBUF ? cap : n));
	}
	if (!rec) {
		bool is_request = st->role == SL_ROLE_CLIENT ? dir == SL_EGRESS : dir == SL_INGRESS;

		if (is_request && (d->at_message_start || d->is_flight_start))
			count_exact(SL_C_LOST_REQUEST);
		else
			count_exact(SL_C_LOST_DATA);
		goto give_up;
	}
	if (!load_bytes(skb, off, rec->data, n, cap - SLICE_PADDING)) {
		count_exact(SL_C_LOST_HELPER);
		goto discard;
	}
	fill_data_source(rec, skb, st, dir);
	is_response = n >= 12 && starts_response(*(__u64 *)rec->data);
	if (d->is_flight_start) {
		why = classify_flight(skb, st, dir, seq, rec->data, n, is_response);
		if (why && why != SL_MUTE_UPGRADE) {
			ring_discard(&rec->h);
			if (why == FLIGHT_HTTP2 || why == FLIGHT_PROXY)
				return true;
			mute(skb, st, why);
			return false;
		}
	}

	/*
	 * Worth a scan where body follows: in long segments, and behind heads
	 * that were written alone. Requests only with a method that has a
	 * body, which all begin with P; others are copied up to the budget.
	 */
	if ((is_response || rec->data[0] == 'P') && d->at_message_start | d->is_flight_start) {
		__u64 end = n - 4; /* below zero it is very large */
		__u32 last4 = 0;

		opaque(end);
		if (end <= cap - SLICE_PADDING - 4)
			last4 = *(__u32 *)(rec->data + end);
		if (left > SL_DATA_MEDIUM - SLICE_PADDING || why ||
		    last4 == ('\r' | '\n' << 8 | '\r' << 16 | '\n' << 24)) {
			__u64 found = scan_head(skb, off, n, is_response);
			__u64 head = SCAN_HEAD(found);
			__u64 length = SCAN_LENGTH(found);

			if (is_response && st->is_head[!dir])
				length = 1;
			if (head && head <= n && length) {
				length--;
				/* A length without a body: HEAD, 304. */
				if (is_response && length > n - head &&
				    response_at(skb, off + head, left - head))
					length = 0;
				/*
				 * Cut behind the message, or behind the head of a long one. Of many
				 * short ones the rest is copied as it is.
				 */
				is_known = true;
				if (length > n - head) {
					n = head;
					skip = length;
				} else if (length == n - head || skb->cb[CB_CALLS] < CUT_CALLS) {
					n = head + length;
				} else {
					is_known = false;
					d->budget = PIPELINE_BUDGET;
				}
			} else if (head && d->budget <= FLIGHT_BUDGET) {
				d->budget = BODY_BUDGET;
			}
			if (why && head) {
				n = head;
				skip = 0;
				is_known = true;
			}
		}
	} else if (is_response || starts_request(rec->data) ||
		   (d->is_flight_start && rec->data[0] == 'G')) {
		/*
		 * A response or request that did not wait for its turn; or a request without body,
		 * behind which there may be others.
		 */
		d->budget = PIPELINE_BUDGET;
	}

	d->at_message_start = is_known;
	/* Through map memory, so that the verifier has one state behind it. */
	*(volatile __u64 *)&rec->seq = skip;
	*(volatile __u32 *)&rec->to_seq = n;
	*(volatile __u8 *)&rec->h.why = why;
	skip = *(volatile __u64 *)&rec->seq;
	n = *(volatile __u32 *)&rec->to_seq;
	why = *(volatile __u8 *)&rec->h.why;

	left -= n;
	off += n;
	to_seq = seq + n;
	d->budget = d->budget > n ? d->budget - n : 0;
	d->is_flight_start = false;
	if (skip) {
		d->is_body_expected = left == 0;
		if (skip > left) {
			d->skip_to = position(d, to_seq) + skip;
			skip = left;
		}
		left -= skip;
		off += skip;
		to_seq += skip;
	}
	from_seq = unreported_start(d, seq);
	d->reported_seq = to_seq;
	d->records++;
	d->bytes_sent += n;
	fill_data_range(rec, dir, left == 0 && seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0, from_seq,
			seq, n, to_seq);
	ring_submit(&rec->h);
	if (why) {
		if (st->is_connect[!dir]) {
			mute(skb, st, why);
			return false;
		}
		upgrade_to_http2(st, dir, d->at_message_start ? to_seq : 0);
	}
	seg->seq = to_seq;
	seg->len = left;
	seg->off = off;
	return left > 0;

discard:
	ring_discard(&rec->h);
give_up:
	/* Not vouched for: user space sees a gap, and does not take it for body. */
	d->reported_seq = d->next;
	d->at_message_start = false;
	d->is_flight_start = false;
	return false;
}

/*
 * Sends the next of what is left of the segment: a piece, or, with the budget
 * spent, the last bytes of a write. False: done with this segment.
 */
static __always_inline bool send_next_slice(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					    struct segment *seg)
{
	struct direction *d = &st->direction[dir];

	/* A response that did not wait for its turn: its request was pipelined. */
	if (d->budget == 0 && !d->at_message_start && response_at(skb, seg->off, seg->len)) {
		d->budget = FLIGHT_BUDGET;
		d->at_message_start = true;
	}
	if (d->budget == 0 && !d->at_message_start) {
		__u32 tail = SL_DATA_SMALL - SLICE_PADDING;

		if (!(seg->tcp_flags & (TCP_PSH | TCP_FIN)) &&
		    (__u32)d->next - d->reported_seq < 1u << 30)
			return false;
		if (seg->len > tail) {
			seg->seq += seg->len - tail;
			seg->off += seg->len - tail;
			seg->len = tail;
		}
	}
	if (!send_slice(skb, st, dir, seg))
		return false;
	if (d->budget <= FLIGHT_BUDGET || d->at_message_start)
		return true;
	for (int i = 0; i < PIPELINED_SLICES && seg->len > 2 * PIPELINED_SLICE; i++) {
		__u32 n = send_pipelined_slice(skb, dir == SL_EGRESS, seg->off, seg->seq);

		if (!n)
			break;
		seg->off += n;
		seg->seq += n;
		seg->len -= n;
	}
	return true;
}

#endif
