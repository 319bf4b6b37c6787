/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a segment changes in the state before anything of it is sent: positions, the start of a
 * flight, and body that is skipped.
 */
#ifndef SIDELIGHT_SEGMENT_BPF_H
#define SIDELIGHT_SEGMENT_BPF_H

#include "close.bpf.h"
#include "http1_slice.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"
#include "window.bpf.h"

/* The first data of either direction starts a flight. */
static __always_inline void init_direction(struct direction *d, __u32 seq, __u32 other_first_seq)
{
	d->next = seq;
	d->first_seq = seq;
	d->reported_seq = seq;
	d->ack = other_first_seq;
	d->flight_ack = other_first_seq - 1;
}

enum segment_action {
	SEGMENT_DONE, /* nothing of it has to be sent */
	SEGMENT_SEND, /* the rest, which is in *seg, has to be sent */
	SEGMENT_OUT_OF_ORDER, /* it belongs to sl_out_of_order(), and nothing was changed */
};

/* Removes the bytes that were seen before. Returns whether the segment has new bytes. */
static __always_inline bool trim_retransmitted(const struct direction *d, struct segment *seg)
{
	__u32 behind = (__u32)d->next - seg->seq;

	if (behind >= seg->len) {
		count(SL_C_RETRANSMITTED, 1);
		return false;
	}
	seg->seq += behind;
	seg->off += behind;
	seg->len -= behind;
	return true;
}

/* Finds the position of the segment's first new byte in the stream, and removes older bytes. */
static __always_inline enum segment_action place_segment(struct sock_state *st, __u8 dir,
							 struct segment *seg, __u64 *ret_at)
{
	struct direction *d = &st->direction[dir];
	__u64 at = *(volatile __u64 *)&d->next;
	/* Written before `next`, so it is read after that. The first bytes make the parser. */
	bool is_busy =
		*(volatile __u8 *)&d->busy && (!st->is_http2 || d->parser_state == PARSER_UNUSED);
	__s32 gap = seg->seq - (__u32)at;

	if (gap < 0) {
		if (!trim_retransmitted(d, seg))
			return SEGMENT_DONE;
	}
	if (dir == SL_INGRESS && (gap > 0 || is_busy))
		return SEGMENT_OUT_OF_ORDER;
	if (gap > 0) {
		/* The socket has sent the bytes of the gap, but they were not seen. */
		at += gap;
		d->reported_seq = seg->seq;
		d->at_message_start = false;
	}
	*ret_at = at;
	return SEGMENT_SEND;
}

/*
 * place_segment(), and moves `next` behind the segment if it is to be sent. Of two copies that two
 * CPUs have at once, one is sent.
 */
static __always_inline enum segment_action claim_segment(struct __sk_buff *skb,
							 struct sock_state *st, __u8 dir,
							 struct segment *seg, __u64 *ret_at)
{
	struct direction *d = &st->direction[dir];
	enum segment_action action;

	for (int i = 0; i < 2; i++) {
		action = place_segment(st, dir, seg, ret_at);
		if (action != SEGMENT_SEND)
			return action;
		begin_segment(d, dir, seg);
		if (dir == SL_EGRESS) {
			d->next = *ret_at + seg->len;
			return SEGMENT_SEND;
		}
		if (move_next(st, *ret_at, *ret_at + seg->len))
			return SEGMENT_SEND;
		finish_segment(skb, st, seg, dir);
	}
	return SEGMENT_OUT_OF_ORDER;
}

/* Was more sent in a flight than one request without body has, in the mode for pipelined ones? */
static __always_inline bool has_sent_pipeline(const struct direction *d)
{
	return d->budget > FLIGHT_BUDGET && d->budget < PIPELINE_BUDGET - FLIGHT_BUDGET;
}

/*
 * Starts a flight if the sender has acknowledged data of the other direction since its last data.
 * A client that pipelines does so in the middle of its requests: then the budget is renewed, and
 * nothing is taken for the first bytes of a request.
 */
static __always_inline bool start_flight(struct sock_state *st, __u8 dir)
{
	struct direction *d = &st->direction[dir];

	if (d->flight_ack == d->ack)
		return false;
	d->flight_ack = d->ack;
	if (has_sent_pipeline(d) && st->protocol != PROTOCOL_TLS && is_request_dir(st, dir))
		set_pipelined(st, dir);
	d->budget = flight_budget(st, d);
	d->is_flight_start = !d->is_pipelined;
	return true;
}

/*
 * Does a message begin where the body of another was expected? Then that had a Content-Length
 * without a body.
 */
static __always_inline bool is_body_missing(struct __sk_buff *skb, const struct direction *d,
					    const struct segment *seg, bool is_flight_start)
{
	return ((is_flight_start || d->is_body_expected) && response_at(skb, seg->off, seg->len)) ||
	       (is_flight_start && d->is_body_expected && request_at(skb, seg->off, seg->len));
}

/* An answer is used for so long: sequence numbers come again after 2^32 bytes. */
#define BODY_ANSWER_NS (250ull * 1000 * 1000)
/* What user space answers at once (sidecar/txn/decrypted.c): 1 GiB, and what its records add. */
#define BODY_ANSWER_MAX ((1u << 30) + (64u << 20))

/* TLS: sets skip_to if user space has said that a body reaches beyond seq, at position `at`. */
static __always_inline void use_body_answer(const struct sock_state *st, __u8 dir,
					    struct direction *d, __u32 seq, __u64 at)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);
	__u32 left;

	if (!v || bpf_ktime_get_ns() - v->time_ns[dir] > BODY_ANSWER_NS)
		return;
	left = v->seq[dir] - seq;
	if (left < BODY_ANSWER_MAX)
		d->skip_to = at + left;
}

/* Removes body at the start of the segment, which is at position `at`. */
static __always_inline enum segment_action skip_body(struct __sk_buff *skb, struct sock_state *st,
						     __u8 dir, struct segment *seg, __u64 at)
{
	struct direction *d = &st->direction[dir];
	bool is_fin = seg->tcp_flags & TCP_FIN;

	d->is_body_expected = false;
	d->is_flight_start = false;
	if (d->skip_to >= d->next) {
		if (d->skip_to == d->next || is_fin || (__u32)d->next - d->reported_seq > 1u << 30)
			send_progress(st, dir, d->next, is_fin);
		if (is_fin)
			end_direction(skb, dir == SL_EGRESS, false);
		return SEGMENT_DONE;
	}
	at = d->skip_to - at;
	seg->seq += at;
	seg->off += at;
	seg->len -= at;
	return SEGMENT_SEND;
}

/* Applies a segment to the state of its direction, before anything of it is sent. */
static __always_inline enum segment_action
process_segment(struct __sk_buff *skb, struct sock_state *st, __u8 dir, struct segment *seg)
{
	struct direction *d = &st->direction[dir];
	enum segment_action action;
	bool is_flight_start;
	bool is_tls;
	__u64 at;

	if (dir == SL_EGRESS) {
		d->ack = seg->ack;
	} else if (!check_ack(skb, st, seg)) {
		count(SL_C_OUT_OF_WINDOW, 1);
		return SEGMENT_DONE;
	}
	if (seg->len == 0 || seg->tcp_flags & TCP_RST) {
		process_fin(skb, st, seg, dir);
		return SEGMENT_DONE;
	}
	action = claim_segment(skb, st, dir, seg, &at);
	if (action != SEGMENT_SEND)
		return action;
	if (++d->segments >= VOLUME_SEGMENTS)
		flush_volume(d);
	d->bytes_seen += seg->len;
	if (!st->is_open)
		st->is_open = send_open_of(skb, st, dir);
	if (st->is_http2)
		return SEGMENT_SEND;
	is_tls = st->protocol == PROTOCOL_TLS;
	is_flight_start = start_flight(st, dir);
	if (is_tls && d->skip_to <= at && is_long_flight(d))
		use_body_answer(st, dir, d, seg->seq, at);
	if (d->skip_to <= at)
		return SEGMENT_SEND;
	if (!is_tls && is_body_missing(skb, d, seg, is_flight_start)) {
		d->skip_to = at;
		return SEGMENT_SEND;
	}
	action = skip_body(skb, st, dir, seg, at);
	if (action == SEGMENT_DONE)
		finish_segment(skb, st, seg, dir);
	return action;
}

#endif
