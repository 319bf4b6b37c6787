/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sends ingress segments that are out of order: behind a sequence gap, or behind a segment that
 * another CPU has not finished. They are sent without parsing (SL_F_OUT_OF_ORDER).
 */
#ifndef SIDELIGHT_OUT_OF_ORDER_BPF_H
#define SIDELIGHT_OUT_OF_ORDER_BPF_H

#include "frame_parser.bpf.h"
#include "frame_sync.bpf.h"
#include "http1_slice.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/*
 * Decides what is sent of the segment: its bytes from *ret_skip on are copied, those before are
 * only reported. Returns false if nothing has to be sent.
 */
static __always_inline bool is_worth_sending(const struct sock_state *st, const struct segment *seg,
					     __u32 *ret_skip)
{
	const struct direction *d = &st->direction[SL_INGRESS];
	bool is_write_end = seg->tcp_flags & (TCP_PSH | TCP_FIN);
	__u64 next = d->next;
	__u64 end = next + (seg->seq + seg->len - (__u32)next);
	__u32 tail = SL_DATA_SMALL - SLICE_PADDING;

	*ret_skip = 0;
	if (st->is_http2) {
		if (d->is_unsynced && !has_unsynced_budget())
			return false;
		return d->parser_state != PARSER_IDLE ||
		       !is_skipped_payload(&st->parser[SL_INGRESS], seg->seq, seg->len);
	}
	if (d->skip_to >= end) {
		*ret_skip = seg->len;
		return d->skip_to == end || is_write_end;
	}
	/* Inside of a body of unknown length, unless the start of a flight was missed. */
	if (d->budget == 0 && !d->at_message_start && d->flight_ack == d->ack) {
		if (!is_write_end)
			*ret_skip = seg->len;
		else if (seg->len > tail)
			*ret_skip = seg->len - tail;
	}
	return true;
}

/* Sends a record without bytes, which reports that the segment passed out of order. */
static __always_inline void send_out_of_order_progress(struct sock_state *st,
						       const struct segment *seg)
{
	struct sl_data *rec = ring_reserve(sizeof(*rec));
	__u32 end = seg->seq + seg->len;

	if (!rec) {
		count_exact(SL_C_LOST_DATA);
		return;
	}
	fill_data_source(rec, NULL, st, SL_INGRESS);
	fill_data_range(rec, SL_INGRESS,
			SL_F_OUT_OF_ORDER | (seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0), seg->seq,
			end, 0, end);
	ring_submit(&rec->h);
	count(SL_C_RECORDS, 1);
}

/* Records of an out-of-order segment that one run of a program sends. */
#define OUT_OF_ORDER_RECORDS 16

/*
 * Sends one record of at most n bytes. n_flags: n in the upper 24 bits, flags of the record below.
 * Returns how many bytes it carries; 0: they are lost, which is counted. A global function, see
 * README.md.
 */
__noinline __u32 send_out_of_order_record(struct __sk_buff *skb, __u32 off, __u32 from_seq,
					  __u32 seq, __u32 n_flags)
{
	struct sock_state *st = find_state(skb);
	__u32 n = n_flags >> 8;

	if (!st || !n)
		return 0;
	return send_raw(skb, st->id,
			SL_F_OUT_OF_ORDER | (n <= SL_DATA_LARGE ? n_flags & SL_F_FIN : 0), off,
			from_seq, seq, n, st->direction[SL_INGRESS].ack, false);
}

/*
 * Sends the bytes of the segment from skip on, of which *done were sent before. Returns true if
 * more are left.
 */
static __always_inline bool send_out_of_order(struct __sk_buff *skb, const struct segment *seg,
					      __u32 skip, __u32 *done)
{
	__u32 flags = seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0;
	__u32 sent;

	if (*done < skip)
		*done = skip;
	for (int i = 0; i < OUT_OF_ORDER_RECORDS && *done < seg->len; i++) {
		sent = send_out_of_order_record(skb, seg->off + *done,
						seg->seq + (*done == skip ? 0 : *done),
						seg->seq + *done, (seg->len - *done) << 8 | flags);
		if (!sent)
			return false;
		*done += sent;
	}
	return *done < seg->len;
}

#endif
