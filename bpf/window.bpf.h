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
static __always_inline bool is_unsent(struct __sk_buff *skb, const struct sock_state *st, __u32 ack)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;

	if ((__s32)(ack - (__u32)st->half[SL_EGRESS].next) <= 1)
		return false;
	/* Not all that it has sent may have been seen. */
	tcp = sk ? bpf_tcp_sock(sk) : NULL;
	return tcp && (__s32)(ack - tcp->snd_nxt) > 0;
}

/* False: the socket will drop the segment for its flags or its acknowledgement. */
static __always_inline bool take_ack(struct __sk_buff *skb, struct sock_state *st,
				     const struct segment *seg)
{
	struct half *h = &st->half[SL_INGRESS];
	__s32 news = seg->ack - h->ack;

	if ((seg->tcp_flags & (TCP_ACK | TCP_RST | TCP_SYN)) != TCP_ACK)
		return seg->tcp_flags & TCP_RST;
	if (news > 0) {
		if (is_unsent(skb, st, seg->ack))
			return false;
		h->ack = seg->ack;
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
static __always_inline void jump(struct sock_state *st, __u32 seq)
{
	struct half *h = &st->half[SL_INGRESS];
	__u64 next = h->next;
	__u64 at = next + (seq - (__u32)next);
	__u32 settled = h->told_seq;

	h->next = at;
	if (st->is_http2) {
		struct frames *f = &st->frames[SL_INGRESS];

		if (h->walk == WALK_IDLE && is_payload(f, seq, 0))
			return;
		if (h->walk != WALK_UNBEGUN)
			settled = f->at_seq;
	} else if (h->skip_to >= at) {
		/* All that is between is body, and will be told with the rest of it. */
		return;
	} else if (h->skip_to > next) {
		settled = h->skip_to;
	} else if (h->budget == 0 && !h->at_start) {
		settled = next;
	} else if (next - h->skip_to < 1u << 30) {
		/* Where the last body that was skipped ended, unless that is long ago, or never
		 * was. */
		settled = h->skip_to;
	}
	/* What was skipped before the gap is known to be body. */
	if ((__s32)(settled - h->told_seq) > 0 && (__s32)(settled - seq) < 0)
		send_progress(st, SL_INGRESS, settled, false);
	h->told_seq = seq;
	h->at_start = false;
	h->is_turn = false;
	if (h->turn_ack != h->ack) {
		h->turn_ack = h->ack;
		h->budget = TURN_BUDGET;
	}
}

/*
 * The socket has acknowledged what is before ack. If it has something that was ahead, user space is
 * told that this is part of the stream: nothing else may follow that would tell. A single byte may
 * be a FIN.
 */
static __always_inline void confirm(struct sock_state *st, __u32 ack)
{
	struct half *h = &st->half[SL_INGRESS];
	__s32 more = ack - (__u32)h->next;

	if (h->ahead == AHEAD_NONE || more < 0 || (h->ahead == AHEAD_OF_GAP && more < 2))
		return;
	if (more > 1) {
		jump(st, ack);
	} else {
		h->ahead = AHEAD_OF_GAP;
		ack = h->next;
		h->told_seq = ack;
	}
	send_progress(st, SL_INGRESS, ack, false);
}

/* Egress: what the segment acknowledges, if anything was ahead anywhere. */
__noinline __u32 confirm_ack(struct __sk_buff *skb, __u32 ack)
{
	struct sock_state *st = state_of(skb);

	if (!st || st->mute || st->half[SL_INGRESS].ahead == AHEAD_NONE)
		return 0;
	confirm(st, ack);
	return 1;
}

/*
 * What of a segment that is ahead is worth a record: its bytes from *ret_skip on; of those before,
 * the record says that they passed. False: not even that.
 */
static __always_inline bool is_ahead_worth(const struct sock_state *st, const struct segment *seg,
					   __u32 *ret_skip)
{
	const struct half *h = &st->half[SL_INGRESS];
	bool is_end = seg->tcp_flags & (TCP_PSH | TCP_FIN);
	__u64 next = h->next;
	__u64 end = next + (seg->seq + seg->len - (__u32)next);
	__u32 tail = SL_DATA_SMALL - PIECE_SLACK;

	*ret_skip = 0;
	if (st->is_http2) {
		if (h->is_unplaced && !has_room())
			return false;
		return h->walk != WALK_IDLE ||
		       !is_payload(&st->frames[SL_INGRESS], seg->seq, seg->len);
	}
	if (h->skip_to >= end) {
		*ret_skip = seg->len;
		return h->skip_to == end || is_end;
	}
	/* In the midst of a body of unknown length, and not at the start of a turn that was missed.
	 */
	if (h->budget == 0 && !h->at_start && h->turn_ack == h->ack) {
		if (!is_end)
			*ret_skip = seg->len;
		else if (seg->len > tail)
			*ret_skip = seg->len - tail;
	}
	return true;
}

/* A record without bytes: the segment passed, out of order. */
static __always_inline void send_ahead_skipped(struct sock_state *st, const struct segment *seg)
{
	struct sl_data *rec = ring_reserve(sizeof(*rec));
	__u32 end = seg->seq + seg->len;

	if (!rec) {
		count_exact(SL_C_LOST_DATA);
		return;
	}
	begin_data(rec, NULL, st, SL_INGRESS);
	end_data(rec, SL_INGRESS, SL_F_AHEAD | (seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0), seg->seq,
		 end, 0, end);
	ring_submit(&rec->h);
	count(SL_C_RECORDS, 1);
}

/* Records of a segment that is ahead that one run of a program sends. */
#define AHEAD_RECORDS 16

/*
 * Sends one record of n bytes, as they are. Returns how many are in it; 0: they are
 * lost, which is counted. A global function: the verifier takes it once, and not for each record.
 */
__noinline __u32 send_ahead_once(struct __sk_buff *skb, __u32 off, __u32 from_seq, __u32 seq,
				 __u32 n_flags)
{
	struct sock_state *st = state_of(skb);
	__u32 n = n_flags >> 8;

	if (!st || !n)
		return 0;
	return send_raw(skb, st->id, SL_F_AHEAD | (n <= SL_DATA_LARGE ? n_flags & SL_F_FIN : 0),
			off, from_seq, seq, n, st->half[SL_INGRESS].ack, false);
}

/* Sends what is ahead, of which *done bytes were before. True: not all of it yet. */
static __always_inline bool send_ahead(struct __sk_buff *skb, const struct segment *seg, __u32 skip,
				       __u32 *done)
{
	__u32 flags = seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0;
	__u32 sent;

	if (*done < skip)
		*done = skip;
	for (int i = 0; i < AHEAD_RECORDS && *done < seg->len; i++) {
		sent = send_ahead_once(skb, seg->off + *done,
				       seg->seq + (*done == skip ? 0 : *done), seg->seq + *done,
				       (seg->len - *done) << 8 | flags);
		if (!sent)
			return false;
		*done += sent;
	}
	return *done < seg->len;
}

#endif
