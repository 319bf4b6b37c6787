/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which ingress segments change state: those that the socket will accept.
 *
 * Ingress programs run before the socket checks a segment, and anybody may have sent it. So a
 * segment changes state only if it starts exactly where the stream goes on, and acknowledges data
 * that was sent (RFC 9293 section 3.10.7.4, RFC 5961). A segment behind a sequence gap is sent to
 * user space without parsing, marked SL_F_OUT_OF_ORDER (out_of_order.bpf.h), and changes no
 * positions. A later segment shows that the socket has received it: then the stream goes on behind
 * it.
 */
#ifndef SIDELIGHT_WINDOW_BPF_H
#define SIDELIGHT_WINDOW_BPF_H

#include "frame_parser.bpf.h"
#include "http2_detection.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

/* The largest window (RFC 7323 section 2.3): older acknowledgements are not acceptable. */
#define ACK_BEHIND (1 << 30)

/* Is the acknowledgement above everything that the socket has sent? A FIN counts as one byte. */
static __always_inline bool acks_unsent_data(struct __sk_buff *skb, const struct sock_state *st,
					     __u32 ack)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;

	if ((__s32)(ack - (__u32)st->direction[SL_EGRESS].next) <= 1)
		return false;
	/* The socket may have sent more than was seen. */
	tcp = sk ? bpf_tcp_sock(sk) : NULL;
	return tcp && (__s32)(ack - tcp->snd_nxt) > 0;
}

/*
 * Stores the acknowledgement of an ingress segment. Returns false if the socket will drop the
 * segment because of its flags or its acknowledgement.
 */
static __always_inline bool check_ack(struct __sk_buff *skb, struct sock_state *st,
				      const struct segment *seg)
{
	struct direction *d = &st->direction[SL_INGRESS];
	__s32 advance = seg->ack - d->ack;

	if ((seg->tcp_flags & (TCP_ACK | TCP_RST | TCP_SYN)) != TCP_ACK)
		return seg->tcp_flags & TCP_RST;
	if (advance > 0) {
		if (acks_unsent_data(skb, st, seg->ack))
			return false;
		d->ack = seg->ack;
	}
	/* The socket's fast path accepts data with any older acknowledgement. */
	return true;
}

/* Returns the end of the body before the gap that was not copied. next: the start of the gap. */
static __always_inline __u32 body_end_before_gap(const struct direction *d, __u64 next)
{
	if (d->skip_to > next)
		return d->skip_to;
	if (d->budget == 0 && !d->at_message_start)
		return next;
	/* The end of the last body that was skipped, unless that was long ago, or never. */
	if (next - d->skip_to < 1u << 30)
		return d->skip_to;
	return d->reported_seq;
}

/* The budget of a flight. A client that pipelines starts one in the middle of its requests. */
static __always_inline __u32 flight_budget(const struct sock_state *st, const struct direction *d)
{
	if (st->protocol == PROTOCOL_TLS)
		return TLS_BUDGET;
	if (d->budget > FLIGHT_BUDGET || d->is_pipelined)
		return PIPELINE_BUDGET;
	return FLIGHT_BUDGET;
}

/* After a gap, the next byte is neither the first of a flight, nor of a message. */
static __always_inline void reset_after_gap(const struct sock_state *st, struct direction *d)
{
	d->at_message_start = false;
	d->is_flight_start = false;
	if (d->flight_ack != d->ack) {
		d->flight_ack = d->ack;
		d->budget = flight_budget(st, d);
	}
}

static __always_inline void leave_ingress(struct sock_state *st)
{
	__sync_fetch_and_add(&st->direction[SL_INGRESS].busy_word, -BUSY_ONE);
}

/*
 * Counts this CPU as one that changes the positions of the ingress direction, unless another one is
 * counted: then it returns false. leave_ingress() ends it.
 */
static __always_inline bool enter_ingress(struct sock_state *st)
{
	__sync_fetch_and_add(&st->direction[SL_INGRESS].busy_word, BUSY_ONE);
	if (ingress_busy(st) == 1)
		return true;
	leave_ingress(st);
	return false;
}

/*
 * Moves `next` of an ingress direction from `at` to `to`. Returns false if another CPU has moved it
 * meanwhile: then that has the bytes from `at` on.
 */
static __always_inline bool move_next(struct sock_state *st, __u64 at, __u64 to)
{
	struct direction *d = &st->direction[SL_INGRESS];
#ifdef SL_RINGBUF /* kernels without the atomic operation, see ring.bpf.h */
	bool is_moved;

	bpf_spin_lock(&st->lock);
	is_moved = d->next == at;
	if (is_moved)
		d->next = to;
	bpf_spin_unlock(&st->lock);
	return is_moved;
#else
	return __sync_val_compare_and_swap(&d->next, at, to) == at;
#endif
}

/*
 * Moves the ingress direction to seq, over a gap that the socket has received. The bytes of the gap
 * were sent unparsed when they came, or were seen with the listener's socket, or are body, or lost.
 * The caller has called enter_ingress(), or the socket has ended. Returns false if a segment has
 * moved `next` meanwhile.
 */
static __always_inline bool advance_over_gap(struct sock_state *st, __u32 seq)
{
	struct direction *d = &st->direction[SL_INGRESS];
	__u64 next = *(volatile __u64 *)&d->next;
	__s32 more = seq - (__u32)next;
	__u64 at = next + more;
	__u32 body_end = d->reported_seq;

	if (more <= 0 || !move_next(st, next, at))
		return false;
	if ((__u32)next == d->first_seq)
		use_early_preface(st);
	if (st->is_http2) {
		struct frame_parser *p = &st->parser[SL_INGRESS];

		if (d->parser_state == PARSER_IDLE && is_skipped_payload(p, seq, 0))
			return true;
		if (d->parser_state != PARSER_UNUSED)
			body_end = p->at_seq;
	} else if (d->skip_to >= at) {
		/* The whole gap is body, and will be reported with the rest of the body. */
		return true;
	} else {
		body_end = body_end_before_gap(d, next);
	}
	/* Body that was skipped before the gap has to be reported as such. */
	if ((__s32)(body_end - d->reported_seq) > 0 && (__s32)(body_end - seq) < 0)
		send_progress(st, SL_INGRESS, body_end, false);
	d->reported_seq = seq;
	reset_after_gap(st, d);
	return true;
}

/*
 * Handles that the socket has acknowledged all data before ack. If that includes bytes that were
 * sent out of order, a record reports that they are part of the stream, since no other record may
 * follow. The caller has called enter_ingress(), or the socket has ended.
 */
static __always_inline void confirm_out_of_order(struct sock_state *st, __u32 ack)
{
	struct direction *d = &st->direction[SL_INGRESS];
	__s32 more = ack - (__u32)d->next;

	if (d->order == ORDER_KEPT || more < 0 || (d->order == ORDER_GAP && more < 1))
		return;
	if (more > 0) {
		if (!advance_over_gap(st, ack))
			return;
	} else {
		d->order = ORDER_GAP;
		ack = d->next;
		d->reported_seq = ack;
	}
	send_progress(st, SL_INGRESS, ack, false);
}

/*
 * The end of the data that a socket in this state has received, if it expects ack next. A FIN is no
 * data. In the states FIN_WAIT the socket acknowledges a FIN before it changes its state
 * (tcp_fin()), and in CLOSE it may have received one: there, a single byte is taken for one.
 */
static __always_inline __u32 data_end(const struct sock_state *st, __u32 state, __u32 ack)
{
	bool is_single = ack == (__u32)st->direction[SL_INGRESS].next + 1;

	if (state == BPF_TCP_CLOSE_WAIT || state == BPF_TCP_LAST_ACK || state == BPF_TCP_CLOSING)
		return ack - 1;
	return state != BPF_TCP_ESTABLISHED && is_single ? ack - 1 : ack;
}

/*
 * Handles the acknowledgement of an egress segment, if any connection had out-of-order segments. A
 * global function, see README.md.
 */
__noinline __u32 confirm_by_ack(struct __sk_buff *skb, __u32 ack)
{
	struct sock_state *st = find_state(skb);
	struct bpf_sock *sk;

	if (!st || st->mute || st->direction[SL_INGRESS].order == ORDER_KEPT || !enter_ingress(st))
		return 0;
	sk = skb->sk ? bpf_sk_fullsock(skb->sk) : NULL;
	confirm_out_of_order(st, data_end(st, sk ? sk->state : BPF_TCP_CLOSE, ack));
	leave_ingress(st);
	return 1;
}

/*
 * Behind the last record of an ingress segment: confirms what the socket has received behind it,
 * from copies, while ingress_busy() kept others from that. What is missed is confirmed by the
 * next acknowledgement: a byte that may be a FIN whose state is still to come, and on CPUs that
 * reorder stores, what came in this moment. A global function, see README.md.
 */
__noinline __u32 confirm_received(struct __sk_buff *skb)
{
	struct sock_state *st = find_state(skb);
	struct bpf_sock *sk;
	__u32 received;
	__u32 end;

	if (!st || st->mute)
		return 0;
	sk = skb->sk ? bpf_sk_fullsock(skb->sk) : NULL;
	/* On x86 its atomic addition is a full barrier, behind which rcv_nxt is loaded. */
	if (!sk || !enter_ingress(st))
		return 0;
	received = received_seq(skb, (__u32)st->direction[SL_INGRESS].next);
	end = data_end(st, sk->state, received);
	/* The last byte may be a FIN, if it is not seen yet. */
	if (end == received && received != (__u32)st->direction[SL_INGRESS].next)
		end--;
	confirm_out_of_order(st, end);
	leave_ingress(st);
	return 1;
}

/*
 * Before `next` is moved behind an ingress segment. Until all of that is sent, another CPU with the
 * next segment of HTTP/1 would report the rest as body that was not copied; it sends its segment as
 * out of order instead. With HTTP/2 it may go on, as acquire_parser() lets it. Egress segments come
 * one after the other (parser_lock.bpf.h).
 */
static __always_inline void begin_segment(struct direction *d, __u8 dir, struct segment *seg)
{
	if (dir != SL_INGRESS)
		return;
	seg->is_begun = true;
	__sync_fetch_and_add(&d->busy_word, BUSY_ONE);
}

/* Behind the last record of the segment. */
static __always_inline void finish_segment(struct __sk_buff *skb, struct sock_state *st,
					   struct segment *seg, __u8 dir)
{
	struct direction *d = &st->direction[dir];

	if (!seg->is_begun)
		return;
	seg->is_begun = false;
	leave_ingress(st);
	if (d->order != ORDER_KEPT)
		confirm_received(skb);
}

#endif
