// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The BPF programs that capture the TCP connections of one cgroup. Two cgroup_skb hooks see every
 * segment, and sock_ops sees connections that are established and closed.
 *
 * All bytes are sent except body whose end is known, bytes behind the budget of a flight, and
 * retransmissions. The rules are in http1_slice.bpf.h and frame_parser.bpf.h. User space checks
 * every sequence number.
 *
 * A segment is sent in slices of at most SL_DATA_LARGE bytes. A program tail-calls itself for each
 * further slice, so that the verifier sees no loop and kernel 5.10 accepts it. 33 times 2 KiB is
 * more than the largest segment of a network device. For the segments of a loopback device see
 * send_pipelined_slice().
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "close.bpf.h"
#include "cursor.bpf.h"
#include "early_data.bpf.h"
#include "event.h"
#include "fastopen.bpf.h"
#include "http1_slice.bpf.h"
#include "http2_slice.bpf.h"
#include "midstream.bpf.h"
#include "mptcp.bpf.h"
#include "out_of_order.bpf.h"
#include "packet.bpf.h"
#include "parser_lock.bpf.h"
#include "proxy.bpf.h"
#include "record.bpf.h"
#include "segment.bpf.h"
#include "sockops.bpf.h"
#include "state.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PASS 1 /* the result of each program: the packet passes */

int sl_ingress(struct __sk_buff *skb);
int sl_egress(struct __sk_buff *skb);
int sl_http2_ingress(struct __sk_buff *skb);
int sl_http2_egress(struct __sk_buff *skb);
int sl_proxy_ingress(struct __sk_buff *skb);
int sl_proxy_egress(struct __sk_buff *skb);
int sl_early(struct __sk_buff *skb);
int sl_out_of_order(struct __sk_buff *skb);

/* Programs that are tail-called. */
enum next {
	NEXT_MAIN,
	NEXT_HTTP2,
	NEXT_PROXY,
	NEXT_EARLY, /* for ingress only, likewise NEXT_OUT_OF_ORDER */
	NEXT_OUT_OF_ORDER,
	NEXT_MAX,
};

/* One array per attach type: mixing them is refused (6.17, commit 4540aed51b12). */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, NEXT_PROXY + 1);
	__type(key, __u32);
	__array(values, int(struct __sk_buff *));
} next_egress SEC(".maps") = {
	.values = {[NEXT_MAIN] = (void *)&sl_egress,
		   [NEXT_HTTP2] = (void *)&sl_http2_egress,
		   [NEXT_PROXY] = (void *)&sl_proxy_egress},
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, NEXT_MAX);
	__type(key, __u32);
	__array(values, int(struct __sk_buff *));
} next_ingress SEC(".maps") = {
	.values = {[NEXT_MAIN] = (void *)&sl_ingress,
		   [NEXT_HTTP2] = (void *)&sl_http2_ingress,
		   [NEXT_PROXY] = (void *)&sl_proxy_ingress,
		   [NEXT_EARLY] = (void *)&sl_early,
		   [NEXT_OUT_OF_ORDER] = (void *)&sl_out_of_order},
};

/*
 * Handles a segment of a socket without a state: data in a SYN, data of a listener's socket, or an
 * older connection, of which the state is returned. NULL: the segment is not captured here.
 */
static __always_inline struct sock_state *join_midstream(struct __sk_buff *skb, struct bpf_sock *sk,
							 const struct segment *seg, __u8 dir)
{
	if (seg->len == 0 || !is_attached())
		return NULL;
	if ((seg->tcp_flags & (TCP_ACK | TCP_RST | TCP_SYN)) == TCP_SYN) {
		store_syn_data(skb, dir == SL_EGRESS);
		return NULL;
	}
	if ((seg->tcp_flags & (TCP_ACK | TCP_RST | TCP_SYN)) != TCP_ACK ||
	    bpf_sk_storage_get(&muted, sk, NULL, 0))
		return NULL;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return NULL;
	/* SYN_RECV: a child socket whose callback has not come yet, or runs, on another CPU. */
	if (sk->state == BPF_TCP_LISTEN || sk->state == BPF_TCP_SYN_RECV) {
		if (dir == SL_INGRESS)
			bpf_tail_call(skb, &next_ingress, NEXT_EARLY);
		return NULL;
	}
	/* A segment out of sequence may be forged. The connection is joined with a later one. */
	if (dir == SL_INGRESS && !is_in_sequence(sk, seg))
		return NULL;
	return create_midstream(skb, sk, seg, dir);
}

/* Tail-calls the next program. Returns only if there were too many calls. */
static __always_inline void call_next(struct __sk_buff *skb, __u8 dir, enum next next)
{
	if (dir == SL_INGRESS)
		bpf_tail_call(skb, &next_ingress, next);
	else
		bpf_tail_call(skb, &next_egress, next);
}

/* Ends the processing of a segment of which nothing more has to be sent. */
static __always_inline int end_segment(struct __sk_buff *skb, struct sock_state *st,
				       struct segment *seg, __u8 dir)
{
	if (st)
		finish_segment(skb, st, seg, dir);
	if (seg->tcp_flags & TCP_FIN)
		end_direction(skb, dir == SL_EGRESS, false);
	return PASS;
}

/* Likewise, in the program for NEXT_MAIN, so that the verifier checks it there only. */
static __always_inline int end_segment_in_main(struct __sk_buff *skb, struct sock_state *st,
					       struct segment *seg, __u8 dir)
{
	finish_segment(skb, st, seg, dir);
	if (seg->tcp_flags & TCP_FIN) {
		seg->len = 0;
		save_cursor(skb, seg);
		call_next(skb, dir, NEXT_MAIN);
	}
	return PASS;
}

/* The rest of the segment, after 33 tail calls, is lost: user space sees a sequence gap. */
static __always_inline int abandon_segment(struct __sk_buff *skb, struct sock_state *st,
					   struct segment *seg, __u8 dir)
{
	count_exact(SL_C_LOST_CHAIN);
	st->direction[dir].reported_seq = st->direction[dir].next;
	st->direction[dir].at_message_start = false;
	finish_segment(skb, st, seg, dir);
	return PASS;
}

/*
 * Likewise for HTTP/1, but the next record reports the rest as uncopied, as behind a spent budget.
 * User space then counts requests among these bytes when their responses come.
 */
static __always_inline void abandon_slices(struct sock_state *st, __u8 dir)
{
	count_exact(SL_C_LOST_CHAIN);
	st->direction[dir].at_message_start = false;
}

/*
 * Applies a new segment to the state of its connection. Returns the state if *seg has to be sent,
 * or else NULL.
 */
static __always_inline struct sock_state *accept_segment(struct __sk_buff *skb, __u8 dir,
							 struct segment *seg)
{
	struct bpf_sock *sk = skb->sk;
	struct sock_state *st;

	if (!sk)
		return NULL;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0); /* NULL also if it is no full socket */
	if (!st || !has_started(st)) {
		if (seg->tcp_flags & (TCP_FIN | TCP_RST))
			close_muted(skb, dir == SL_EGRESS, seg->tcp_flags & TCP_RST, seg->seq);
		st = join_midstream(skb, sk, seg, dir);
		if (!st)
			return NULL;
	}
	if (st->mute)
		return NULL;
	switch (process_segment(skb, st, dir, seg)) {
	case SEGMENT_DONE:
		return NULL;
	case SEGMENT_SEND:
		return st;
	case SEGMENT_OUT_OF_ORDER:
		bpf_tail_call(skb, &next_ingress, NEXT_OUT_OF_ORDER);
		count_exact(SL_C_LOST_DATA);
		return NULL;
	}
	return NULL;
}

/* Parses a new packet. Returns whether it can change the state of its connection. */
static __always_inline bool parse_packet(struct __sk_buff *skb, __u8 dir, struct segment *seg)
{
	if (!segment_parse(skb, seg))
		return false;
	if (dir == SL_EGRESS && has_out_of_order)
		confirm_by_ack(skb, seg->ack);
	if (seg->len != 0 || seg->tcp_flags & (TCP_FIN | TCP_RST))
		return true;
	if ((seg->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && has_first_subflows)
		mute_first_subflow(skb, dir == SL_EGRESS);
	return false;
}

/* Sends the rest of a segment, here or in the program for its protocol. */
static __always_inline int send_segment(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					struct segment *seg)
{
	if (st->is_http2) {
		if (send_short_frames(skb, st, dir, seg)) {
			finish_segment(skb, st, seg, dir);
			return PASS;
		}
		save_cursor(skb, seg);
		call_next(skb, dir, NEXT_HTTP2);
		return abandon_segment(skb, st, seg, dir);
	}
	if (expects_proxy_header(&st->direction[dir])) {
		save_cursor(skb, seg);
		call_next(skb, dir, NEXT_PROXY);
		return abandon_segment(skb, st, seg, dir);
	}
	if (send_next_slice(skb, st, dir, seg)) {
		save_cursor(skb, seg);
		call_next(skb, dir, NEXT_MAIN);
		abandon_slices(st, dir);
	}
	return end_segment(skb, st, seg, dir);
}

static __always_inline int on_segment(struct __sk_buff *skb, __u8 dir)
{
	struct segment seg = {};
	struct sock_state *st;

	if (has_cursor(skb)) {
		load_cursor(skb, &seg);
		st = find_state(skb);
		if (!seg.len)
			return end_segment(skb, st, &seg, dir);
	} else {
		if (!parse_packet(skb, dir, &seg))
			return PASS;
		st = accept_segment(skb, dir, &seg);
	}
	return st ? send_segment(skb, st, dir, &seg) : PASS;
}

static __always_inline int on_http2(struct __sk_buff *skb, __u8 dir)
{
	struct sock_state *st = find_state(skb);
	struct segment seg;

	if (!st)
		return PASS;
	load_cursor(skb, &seg);
	if (!send_http2_slices(skb, st, dir, &seg))
		return end_segment_in_main(skb, st, &seg, dir);
	save_cursor(skb, &seg);
	if (st->is_http2)
		call_next(skb, dir, NEXT_HTTP2);
	else
		call_next(skb, dir, NEXT_MAIN);
	return abandon_segment(skb, st, &seg, dir);
}

static __always_inline int on_proxy(struct __sk_buff *skb, __u8 dir)
{
	struct sock_state *st = find_state(skb);
	struct segment seg;

	if (!st)
		return PASS;
	load_cursor(skb, &seg);
	if (!send_proxy_slice(skb, st, dir, &seg))
		return end_segment_in_main(skb, st, &seg, dir);
	save_cursor(skb, &seg);
	call_next(skb, dir, expects_proxy_header(&st->direction[dir]) ? NEXT_PROXY : NEXT_MAIN);
	return abandon_segment(skb, st, &seg, dir);
}

SEC("cgroup_skb/ingress")
int sl_ingress(struct __sk_buff *skb)
{
	return on_segment(skb, SL_INGRESS);
}

SEC("cgroup_skb/egress")
int sl_egress(struct __sk_buff *skb)
{
	return on_segment(skb, SL_EGRESS);
}

/* Segments of HTTP/2 that send_short_frames() does not take. */
SEC("cgroup_skb/ingress")
int sl_http2_ingress(struct __sk_buff *skb)
{
	return on_http2(skb, SL_INGRESS);
}

SEC("cgroup_skb/egress")
int sl_http2_egress(struct __sk_buff *skb)
{
	return on_http2(skb, SL_EGRESS);
}

/* The PROXY header before the first byte of a connection. */
SEC("cgroup_skb/ingress")
int sl_proxy_ingress(struct __sk_buff *skb)
{
	return on_proxy(skb, SL_INGRESS);
}

SEC("cgroup_skb/egress")
int sl_proxy_egress(struct __sk_buff *skb)
{
	return on_proxy(skb, SL_EGRESS);
}

/*
 * Data that is seen with the listener's socket. It completes the handshake, and the child socket,
 * which the kernel is about to create, will compute the same id. It has sent nothing yet, so the
 * acknowledgement is its first sequence number.
 */
SEC("cgroup_skb/ingress")
int sl_early(struct __sk_buff *skb)
{
	__u32 done = load_done(skb);
	struct segment seg;
	struct tuple t;
	__u64 id;
	__u32 n;

	if (!segment_parse(skb, &seg) || !tuple_of_packet(skb, false, &t))
		return PASS;
	id = tuple_id(&t, seg.ack);
	if (done == 0) {
		if (!has_connection(skb, &t)) {
			count(SL_C_OUT_OF_WINDOW, 1);
			return PASS;
		}
		count(SL_C_SEGMENTS, 1);
		count(SL_C_BYTES_SEEN, seg.len);
		if (!send_open(&t, id, SL_ROLE_SERVER, SL_F_EARLY, 0, seg.ack)) {
			count_exact(SL_C_LOST_REQUEST);
			return PASS;
		}
		store_preface(skb, &seg, id);
	}
	if (done >= seg.len)
		return PASS;
	if (done >= FLIGHT_BUDGET) {
		send_early_uncopied(id, seg.seq + done, seg.seq + seg.len, seg.ack);
		return PASS;
	}
	n = send_raw(skb, id, 0, seg.off + done, seg.seq + done, seg.seq + done, seg.len - done,
		     seg.ack, done == 0);
	if (n == 0)
		return PASS;
	save_done(skb, done + n);
	bpf_tail_call(skb, &next_ingress, NEXT_EARLY);
	return PASS;
}

/* Data behind a sequence gap, or behind a segment that another CPU has not finished. */
SEC("cgroup_skb/ingress")
int sl_out_of_order(struct __sk_buff *skb)
{
	__u32 done = load_done(skb);
	struct sock_state *st = find_state(skb);
	struct segment seg;
	__u32 received;
	__u32 skip;

	if (!st || !segment_parse(skb, &seg))
		return PASS;
	if (done == 0) {
		received = received_seq(skb, st->direction[SL_INGRESS].next);
		if ((__s32)(received - seg.seq) >= 0 && enter_ingress(st)) {
			advance_over_gap(st, seg.seq);
			leave_ingress(st);
			bpf_tail_call(skb, &next_ingress, NEXT_MAIN);
			count_exact(SL_C_LOST_CHAIN);
			return PASS;
		}
		if (seg.seq + seg.len - received > window_max) {
			count(SL_C_OUT_OF_WINDOW, 1);
			return PASS;
		}
		if (!st->is_open)
			st->is_open = send_open_of(skb, st, SL_INGRESS);
	}
	if (!is_worth_sending(st, &seg, &skip))
		return PASS;
	mark_out_of_order(&st->direction[SL_INGRESS], ORDER_GAP);
	if (skip == seg.len) {
		send_out_of_order_progress(st, &seg);
		return PASS;
	}
	if (!send_out_of_order(skb, &seg, skip, &done))
		return PASS;
	save_done(skb, done);
	bpf_tail_call(skb, &next_ingress, NEXT_OUT_OF_ORDER);
	count_exact(SL_C_LOST_CHAIN);
	return PASS;
}

SEC("sockops")
int sl_sockops(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		if (is_attached())
			request_state_callbacks(ctx);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		if (is_attached())
			on_established(ctx, SL_ROLE_SERVER);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		if (is_attached())
			on_established(ctx, SL_ROLE_CLIENT);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		on_state(ctx, ctx->args[0], ctx->args[1]);
		break;
	}
	return PASS;
}
