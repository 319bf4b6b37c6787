/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What of an ingress segment is believed: what the socket will believe of it.
 *
 * Ingress programs run before the socket looks at a segment, and anybody may have sent it. So a
 * segment changes something only if it starts exactly where the stream goes on, and acknowledges
 * what was sent (RFC 9293 section 3.10.7.4, RFC 5961). What is ahead of that is sent to user space
 * as it is (SL_F_AHEAD) and changes nothing. It counts once the socket says that it has received up
 * to there, which shows at a later segment: then the stream goes on behind it.
 */
#ifndef SIDELIGHT_WINDOW_BPF_H
#define SIDELIGHT_WINDOW_BPF_H

#include "packet.bpf.h"
#include "piece.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* The largest window there is (RFC 7323 section 2.3): no older acknowledgement is acceptable. */
#define ACK_BEHIND (1 << 30)

/* Is the acknowledgement beyond all that the socket has sent? A FIN counts as one. */
static __always_inline bool acks_unsent_data(struct __sk_buff *skb, const struct sock_state *st,
					     __u32 ack)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;

	if ((__s32)(ack - (__u32)st->direction[SL_EGRESS].next) <= 1)
		return false;
	/* Not all that it has sent may have been seen. */
	tcp = sk ? bpf_tcp_sock(sk) : NULL;
	return tcp && (__s32)(ack - tcp->snd_nxt) > 0;
}

/* False: the socket will drop the segment for its flags or its acknowledgement. */
static __always_inline bool check_ack(struct __sk_buff *skb, struct sock_state *st,
				      const struct segment *seg)
{
	struct direction *d = &st->direction[SL_INGRESS];
	__s32 news = seg->ack - d->ack;

	if ((seg->tcp_flags & (TCP_ACK | TCP_RST | TCP_SYN)) != TCP_ACK)
		return seg->tcp_flags & TCP_RST;
	if (news > 0) {
		if (acks_unsent_data(skb, st, seg->ack))
			return false;
		d->ack = seg->ack;
	}
	/* Data with an older one the socket's fast path takes, whatever it is: it changes nothing.
	 */
	return true;
}

/*
 * The socket has all before seq, which we did not see in order: those bytes were sent as they
 * are, when they came, or on the listener's socket, or are body, or lost. The stream goes on at
 * seq, but not with the first bytes of a turn, nor of a message.
 */
static __always_inline void advance_over_gap(struct sock_state *st, __u32 seq)
{
	struct direction *d = &st->direction[SL_INGRESS];
	__u64 next = d->next;
	__u64 at = next + (seq - (__u32)next);
	__u32 settled = d->reported_seq;

	d->next = at;
	if (st->is_http2) {
		struct frame_parser *p = &st->parser[SL_INGRESS];

		if (d->parser_state == PARSER_IDLE && is_skipped_payload(p, seq, 0))
			return;
		if (d->parser_state != PARSER_UNUSED)
			settled = p->at_seq;
	} else if (d->skip_to >= at) {
		/* All that is between is body, and will be told with the rest of it. */
		return;
	} else if (d->skip_to > next) {
		settled = d->skip_to;
	} else if (d->budget == 0 && !d->at_message_start) {
		settled = next;
	} else if (next - d->skip_to < 1u << 30) {
		/* Where the last body that was skipped ended, unless that is long ago, or never
		 * was. */
		settled = d->skip_to;
	}
	/* What was skipped before the gap is known to be body. */
	if ((__s32)(settled - d->reported_seq) > 0 && (__s32)(settled - seq) < 0)
		send_progress(st, SL_INGRESS, settled, false);
	d->reported_seq = seq;
	d->at_message_start = false;
	d->is_flight_start = false;
	if (d->flight_ack != d->ack) {
		d->flight_ack = d->ack;
		d->budget = FLIGHT_BUDGET;
	}
}

/*
 * The socket has acknowledged what is before ack. If it has something that was ahead, user space is
 * told that this is part of the stream: nothing else may follow that would tell. A single byte may
 * be a FIN.
 */
static __always_inline void confirm_out_of_order(struct sock_state *st, __u32 ack)
{
	struct direction *d = &st->direction[SL_INGRESS];
	__s32 more = ack - (__u32)d->next;

	if (d->order == ORDER_KEPT || more < 0 || (d->order == ORDER_GAP && more < 2))
		return;
	if (more > 1) {
		advance_over_gap(st, ack);
	} else {
		d->order = ORDER_GAP;
		ack = d->next;
		d->reported_seq = ack;
	}
	send_progress(st, SL_INGRESS, ack, false);
}

/* Egress: what the segment acknowledges, if anything was ahead anywhere. */
__noinline __u32 confirm_by_ack(struct __sk_buff *skb, __u32 ack)
{
	struct sock_state *st = find_state(skb);

	if (!st || st->mute || st->direction[SL_INGRESS].order == ORDER_KEPT)
		return 0;
	confirm_out_of_order(st, ack);
	return 1;
}

/*
 * What of a segment that is ahead is worth a record: its bytes from *ret_skip on; of those before,
 * the record says that they passed. False: not even that.
 */
static __always_inline bool is_worth_sending(const struct sock_state *st, const struct segment *seg,
					     __u32 *ret_skip)
{
	const struct direction *d = &st->direction[SL_INGRESS];
	bool is_end = seg->tcp_flags & (TCP_PSH | TCP_FIN);
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
		return d->skip_to == end || is_end;
	}
	/* In the midst of a body of unknown length, and not at the start of a turn that was missed.
	 */
	if (d->budget == 0 && !d->at_message_start && d->flight_ack == d->ack) {
		if (!is_end)
			*ret_skip = seg->len;
		else if (seg->len > tail)
			*ret_skip = seg->len - tail;
	}
	return true;
}

/* A record without bytes: the segment passed, out of order. */
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
	fill_data_range(rec, SL_INGRESS, SL_F_AHEAD | (seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0),
			seg->seq, end, 0, end);
	ring_submit(&rec->h);
	count(SL_C_RECORDS, 1);
}

/* Records of a segment that is ahead that one run of a program sends. */
#define OUT_OF_ORDER_RECORDS 16

/*
 * Sends one record of n bytes, as they are. Returns how many are in it; 0: they are
 * lost, which is counted. A global function: the verifier takes it once, and not for each record.
 */
__noinline __u32 send_out_of_order_record(struct __sk_buff *skb, __u32 off, __u32 from_seq,
					  __u32 seq, __u32 n_flags)
{
	struct sock_state *st = find_state(skb);
	__u32 n = n_flags >> 8;

	if (!st || !n)
		return 0;
	return send_raw(skb, st->id, SL_F_AHEAD | (n <= SL_DATA_LARGE ? n_flags & SL_F_FIN : 0),
			off, from_seq, seq, n, st->direction[SL_INGRESS].ack, false);
}

/* Sends what is ahead, of which *done bytes were before. True: not all of it yet. */
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
