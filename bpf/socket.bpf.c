// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Capture of one cgroup's TCP connections: two cgroup_skb hooks see every
 * segment, sock_ops sees connections begin and end.
 *
 * What is sent: all bytes, except those known to be message bodies, those
 * over the budget of a turn, and those seen before. The rules that skip are
 * in http1.bpf.h; user space checks everything by sequence number.
 *
 * A segment is sent in pieces of at most SL_DATA_LARGE bytes. For each further
 * piece a program tail-calls itself, so that the verifier sees no loop and
 * kernel 5.10 takes it; 33 times 2 KiB is more than the largest GSO segment.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "event.h"
#include "http1.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_INET6 10

/* Room kept behind the bytes of a piece: its first words are read whole. */
#define PIECE_SLACK 16

#define PASS 1 /* of a cgroup program: never drop, never refuse */

int sl_ingress(struct __sk_buff *skb);
int sl_egress(struct __sk_buff *skb);
int sl_early(struct __sk_buff *skb);

/* One array per attach type: mixing them is refused (6.17, commit 4540aed51b12). */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, int(struct __sk_buff *));
} next_egress SEC(".maps") = {
	.values = {[0] = (void *)&sl_egress},
};

enum { NEXT_PIECE, NEXT_EARLY };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(struct __sk_buff *));
} next_ingress SEC(".maps") = {
	.values = {[NEXT_PIECE] = (void *)&sl_ingress, [NEXT_EARLY] = (void *)&sl_early},
};

/* Where a tail call goes on in the segment: skb->cb, zero when a packet comes in fresh. */
enum { CB_OFF, CB_LEFT, CB_TCP_FLAGS };

static __always_inline void mute(struct sl_cgroup *cg, struct sock_state *st, enum sl_mute why)
{
	st->mute = why;
	if (st->is_open)
		send_mute(cg, st->id, why);
}

/*
 * Looks at the first bytes of a turn. Returns the reason to mute before these
 * bytes are sent, or 0; is_upgrade is the reason to mute after them.
 */
static __always_inline __u8 judge_turn(struct sock_state *st, __u8 dir, const __u8 *buf, __u32 n,
				       bool is_response)
{
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	const struct half *other = &st->half[!dir];
	struct half *h = &st->half[dir];
	__u64 first = *(const __u64 *)buf;

	st->is_upgrade = false;
	h->is_head = (__u32)first == ('H' | 'E' << 8 | 'A' << 16 | 'D' << 24);
	h->is_connect = first == WORD_CONNECT;
	if (is_response) {
		st->is_http = true;
		/* 101 Switching Protocols, and any 2xx to CONNECT (RFC 9110 sections 15.2.2, 9.3.6)
		 */
		if ((buf[9] == '1' && buf[10] == '0' && buf[11] == '1') ||
		    (other->is_connect && buf[9] == '2'))
			st->is_upgrade = true;
		return 0;
	}
	if (st->is_http)
		return 0;
	if (buf[0] == 0x16 && buf[1] == 0x03)
		return SL_MUTE_TLS;
	if (n >= 8 && first == WORD_PRI)
		return SL_MUTE_HTTP2;
	/* Answers tell what is spoken; one that is cut short proves nothing. */
	if (may_start_response(first, n) || (st->role && dir == request_dir))
		return 0;
	if (++st->unknown_turns >= UNKNOWN_TURNS)
		return SL_MUTE_UNKNOWN;
	return 0;
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
 * Sends the first piece of what is left of the segment, and takes it off.
 * False: nothing more of this segment is to be sent.
 */
static __always_inline bool send_piece(struct __sk_buff *skb, struct sl_cgroup *cg,
				       struct sock_state *st, __u8 dir, struct segment *seg)
{
	struct half *h = &st->half[dir];
	__u32 left = seg->len;
	__u32 off = seg->off;
	__u32 seq = h->next_seq - left;
	__u32 to_seq;
	bool at_start = h->at_start || h->is_turn;
	bool is_response;
	struct sl_data *rec;
	__u64 n = left;
	__u64 cap;
	__u64 skip = 0;
	bool is_known = false;

	if (left <= SL_DATA_SMALL - PIECE_SLACK) {
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_SMALL, 0);
		cap = SL_DATA_SMALL;
	} else if (left <= SL_DATA_MEDIUM - PIECE_SLACK) {
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_MEDIUM, 0);
		cap = SL_DATA_MEDIUM;
	} else {
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_LARGE, 0);
		cap = SL_DATA_LARGE;
		if (n > SL_DATA_LARGE - PIECE_SLACK)
			n = SL_DATA_LARGE - PIECE_SLACK;
	}
	if (!rec) {
		bool is_request = st->role == SL_ROLE_CLIENT ? dir == SL_EGRESS : dir == SL_INGRESS;

		if (is_request && at_start)
			count_exact(cg, SL_C_LOST_REQUEST);
		else
			count_exact(cg, SL_C_LOST_DATA);
		goto give_up;
	}
	if (!load_bytes(skb, off, rec->data, n, cap - PIECE_SLACK)) {
		count_exact(cg, SL_C_LOST_HELPER);
		goto discard;
	}
	is_response = n >= 12 && starts_response(*(__u64 *)rec->data);
	if (h->is_turn) {
		__u8 now = judge_turn(st, dir, rec->data, n, is_response);

		if (now) {
			bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
			mute(cg, st, now);
			return false;
		}
	}

	/*
	 * Worth a scan where body follows: in long segments, and behind heads
	 * that were written alone. Requests only with a method that has a
	 * body, which all begin with P; others are copied up to the budget.
	 */
	if (may_scan && at_start && (is_response || rec->data[0] == 'P')) {
		__u64 end = n - 4; /* below zero it is very large */
		__u32 last4 = 0;

		opaque(end);
		if (end <= cap - PIECE_SLACK - 4)
			last4 = *(__u32 *)(rec->data + end);
		if (left > SL_DATA_MEDIUM - PIECE_SLACK ||
		    last4 == ('\r' | '\n' << 8 | '\r' << 16 | '\n' << 24)) {
			__u64 found = scan_head(skb, off, n, is_response);
			__u64 head = SCAN_HEAD(found);
			__u64 length = SCAN_LENGTH(found);

			if (is_response && st->half[!dir].is_head)
				length = 1;
			if (head && head <= n && length) {
				/* Cut behind the message, or behind the head of a long one. */
				is_known = true;
				length--;
				if (length <= n - head) {
					n = head + length;
				} else {
					n = head;
					skip = length;
				}
				if (skip && is_response &&
				    response_at(skb, off + head, left - head))
					skip = 0;
			} else if (head && h->budget > BODY_BUDGET) {
				h->budget = BODY_BUDGET;
			}
		}
	}

	left -= n;
	off += n;
	to_seq = seq + n;
	h->budget = h->budget > n ? h->budget - n : 0;
	h->at_start = is_known;
	h->is_turn = false;
	if (skip) {
		h->is_skip_new = left == 0;
		if (skip > left) {
			h->skip_left = skip - left;
			skip = left;
		}
		left -= skip;
		off += skip;
		to_seq += skip;
	}
	fill_data(rec, st, dir, left == 0 && seg->tcp_flags & TCP_FIN ? SL_F_FIN : 0, h->told_seq,
		  seq, n, to_seq);
	h->told_seq = to_seq;
	bpf_ringbuf_submit(rec, wake_flags(cg));
	count(cg, SL_C_BYTES_SENT, n);
	if (st->is_upgrade) {
		mute(cg, st, SL_MUTE_UPGRADE);
		return false;
	}
	seg->len = left;
	seg->off = off;
	return left > 0;

discard:
	bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
give_up:
	/* Not vouched for: user space sees a gap, and does not take it for body. */
	h->told_seq = h->next_seq;
	h->at_start = false;
	h->is_turn = false;
	return false;
}

/*
 * Sends the next of what is left of the segment: a piece, or, with the budget
 * spent, the last bytes of a write. False: done with this segment.
 */
static __always_inline bool send_next(struct __sk_buff *skb, struct sl_cgroup *cg,
				      struct sock_state *st, __u8 dir, struct segment *seg)
{
	struct half *h = &st->half[dir];

	/* A response that did not wait for its turn: its request was pipelined. */
	if (h->budget == 0 && !h->at_start && response_at(skb, seg->off, seg->len)) {
		h->budget = TURN_BUDGET;
		h->at_start = true;
	}
	if (h->budget == 0 && !h->at_start) {
		__u32 tail = SL_DATA_SMALL - PIECE_SLACK;

		if (!(seg->tcp_flags & (TCP_PSH | TCP_FIN)) && h->next_seq - h->told_seq < 1u << 30)
			return false;
		if (seg->len > tail) {
			seg->off += seg->len - tail;
			seg->len = tail;
		}
	}
	return send_piece(skb, cg, st, dir, seg);
}

/* Bytes below next_seq. True if the segment has new bytes behind them. */
static __always_inline bool take_old(struct __sk_buff *skb, struct sl_cgroup *cg,
				     struct sock_state *st, struct segment *seg, __u8 dir)
{
	struct half *h = &st->half[dir];
	__u32 behind = h->next_seq - seg->seq;

	if (has_hole(h) && (__s32)(seg->seq - h->hole_hi) < 0 &&
	    (__s32)(seg->seq + seg->len - h->hole_lo) > 0) {
		struct sl_data *rec;
		__u64 n = seg->len;

		/* Fills a hole: sent as it is, one record; state stays with the newest bytes. */
		rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_LARGE, 0);
		if (!rec) {
			count_exact(cg, SL_C_LOST_DATA);
			return false;
		}
		if ((__s32)(seg->seq - h->hole_lo) <= 0)
			h->hole_lo = seg->seq + seg->len;
		if (n > SL_DATA_LARGE)
			n = SL_DATA_LARGE;
		if (!load_bytes(skb, seg->off, rec->data, n, SL_DATA_LARGE)) {
			count_exact(cg, SL_C_LOST_HELPER);
			bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
			return false;
		}
		fill_data(rec, st, dir, 0, seg->seq, seg->seq, n, seg->seq + seg->len);
		bpf_ringbuf_submit(rec, wake_flags(cg));
		count(cg, SL_C_BYTES_SENT, n);
		return false;
	}
	if (behind >= seg->len) {
		count(cg, SL_C_RETRANSMITTED, 1);
		return false;
	}
	seg->seq += behind;
	seg->off += behind;
	seg->len -= behind;
	return true;
}

/* Bytes beyond next_seq: those between may come later (ingress), or were not seen. */
static __always_inline void jump_ahead(struct half *h, __u32 seq, __u8 dir)
{
	__u32 ahead = seq - h->next_seq;

	if (dir == SL_INGRESS) {
		if (!has_hole(h))
			h->hole_lo = h->next_seq;
		h->hole_hi = seq;
	}
	h->skip_left = h->skip_left > ahead ? h->skip_left - ahead : 0;
	h->at_start = false;
	h->next_seq = seq;
	h->told_seq = seq;
}

/* The peer's ACK says what the socket has: holes below it are filled, and data
 * that was seen on the listener's socket is known. */
static __always_inline void learn_ack(struct half *other, __u32 ack)
{
	if (has_hole(other) && (__s32)(ack - other->hole_hi) >= 0)
		other->hole_lo = other->hole_hi;
	if ((__s32)(ack - other->next_seq) > 0) {
		other->next_seq = ack;
		other->told_seq = ack;
	}
}

static __always_inline bool open_conn(struct __sk_buff *skb, struct sl_cgroup *cg,
				      struct sock_state *st, __u8 dir)
{
	struct tuple t;

	if (!tuple_of_packet(skb, dir == SL_EGRESS, &t))
		return false;
	return send_open(cg, &t, st->id, st->role, 0);
}

/* The direction's FIN; also the end of a connection that no state callback will report. */
static __always_inline void take_fin(struct sl_cgroup *cg, struct sock_state *st,
				     const struct segment *seg, __u8 dir)
{
	struct half *h = &st->half[dir];
	__u8 request_dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;

	if (!st->is_open || st->mute || st->is_closed)
		return;
	if (seg->tcp_flags & TCP_RST) {
		/* Only in sequence, as the socket itself believes it (RFC 5961 section 3). */
		if (st->is_midstream && seg->seq == h->next_seq) {
			st->is_closed = true;
			send_close(cg, st, true, 0, 0, 0, 0);
		}
		return;
	}
	/* A request never ends with its direction: nobody waits for that FIN. */
	if (seg->seq != h->next_seq || (dir == request_dir && st->role != SL_ROLE_UNKNOWN))
		return;
	send_progress(cg, st, dir, h->next_seq, true);
}

static __always_inline void start_half(struct half *h, __u32 seq)
{
	h->next_seq = seq;
	h->told_seq = seq;
	h->hole_lo = seq;
	h->hole_hi = seq;
}

/* The state of a socket that was there before us, or NULL: this segment is not captured. */
static __always_inline struct sock_state *join_midstream(struct __sk_buff *skb, struct bpf_sock *sk,
							 struct sl_cgroup *cg,
							 const struct segment *seg, __u8 dir)
{
	struct sock_state *st;

	if (seg->len == 0 || seg->tcp_flags & TCP_SYN)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return NULL;
	if (sk->state == BPF_TCP_LISTEN) {
		if (dir == SL_INGRESS)
			bpf_tail_call(skb, &next_ingress, NEXT_EARLY);
		return NULL;
	}
	st = bpf_sk_storage_get(&socks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!st) {
		count_exact(cg, SL_C_LOST_STORAGE);
		return NULL;
	}
	st->is_midstream = true;
	st->last_dir = 2;
	st->id = (__u64)seg->seq << 32 | seg->ack;
	start_half(&st->half[dir], seg->seq);
	start_half(&st->half[!dir], seg->ack);
	return st;
}

/*
 * What a segment changes, before anything of it is sent: sequence numbers,
 * turn, body bytes known as such. True if bytes are left in *seg to be sent.
 */
static __always_inline bool take_segment(struct __sk_buff *skb, struct sl_cgroup *cg,
					 struct sock_state *st, __u8 dir, struct segment *seg)
{
	struct half *h = &st->half[dir];
	bool is_turn;
	__s32 ahead;

	if (seg->len == 0) {
		take_fin(cg, st, seg, dir);
		return false;
	}
	count(cg, SL_C_SEGMENTS, 1);
	if (dir == SL_EGRESS)
		learn_ack(&st->half[SL_INGRESS], seg->ack);

	ahead = seg->seq - h->next_seq;
	if (ahead < 0 && !take_old(skb, cg, st, seg, dir))
		return false;
	if (ahead > 0)
		jump_ahead(h, seg->seq, dir);
	h->next_seq += seg->len;
	count(cg, SL_C_BYTES_SEEN, seg->len);
	if (!st->is_open)
		st->is_open = open_conn(skb, cg, st, dir);

	is_turn = st->last_dir != dir;
	if (is_turn) {
		st->last_dir = dir;
		h->budget = TURN_BUDGET;
		h->is_turn = true;
	}
	if (h->skip_left == 0)
		return true;
	if ((is_turn || h->is_skip_new) && response_at(skb, seg->off, seg->len)) {
		h->skip_left = 0;
		return true;
	}
	h->is_skip_new = false;
	h->is_turn = false;
	if (h->skip_left >= seg->len) {
		bool is_fin = seg->tcp_flags & TCP_FIN;

		h->skip_left -= seg->len;
		if (h->skip_left == 0 || is_fin || h->next_seq - h->told_seq > 1u << 30)
			send_progress(cg, st, dir, h->next_seq, is_fin);
		return false;
	}
	seg->off += h->skip_left;
	seg->len -= h->skip_left;
	h->skip_left = 0;
	return true;
}

static __always_inline int on_segment(struct __sk_buff *skb, __u8 dir)
{
	bool is_next = skb->cb[CB_OFF];
	struct segment seg = {};
	struct sl_cgroup *cg;
	struct sock_state *st;
	struct bpf_sock *sk;

	if (is_next) {
		seg.off = skb->cb[CB_OFF];
		seg.len = skb->cb[CB_LEFT];
		seg.tcp_flags = skb->cb[CB_TCP_FLAGS];
	} else {
		if (!segment_parse(skb, &seg))
			return PASS;
		if (seg.len == 0 && !(seg.tcp_flags & (TCP_FIN | TCP_RST)))
			return PASS;
	}
	sk = skb->sk;
	if (!sk)
		return PASS;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0); /* NULL too if it is no full socket */
	cg = bpf_get_local_storage(&cgroups, 0);
	if (!is_next) {
		if (!st) {
			st = join_midstream(skb, sk, cg, &seg, dir);
			if (!st)
				return PASS;
		}
		if (st->mute || !take_segment(skb, cg, st, dir, &seg))
			return PASS;
	}
	if (!st || !send_next(skb, cg, st, dir, &seg))
		return PASS;
	skb->cb[CB_OFF] = seg.off;
	skb->cb[CB_LEFT] = seg.len;
	skb->cb[CB_TCP_FLAGS] = seg.tcp_flags;
	if (dir == SL_INGRESS)
		bpf_tail_call(skb, &next_ingress, NEXT_PIECE);
	else
		bpf_tail_call(skb, &next_egress, 0);
	/* 33 tail calls were not enough: the rest is not vouched for. */
	count_exact(cg, SL_C_LOST_CHAIN);
	st->half[dir].told_seq = st->half[dir].next_seq;
	st->half[dir].at_start = false;
	return PASS;
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

/*
 * Data that reached the listener's socket: with it the handshake is complete,
 * and the child socket, made in a moment, will have this id. It has sent
 * nothing yet, so the ACK is its first sequence number.
 */
SEC("cgroup_skb/ingress")
int sl_early(struct __sk_buff *skb)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);
	__u32 done = skb->cb[CB_LEFT]; /* of the payload, by the calls before this one */
	struct sl_data *rec;
	struct segment seg;
	struct tuple t;
	__u64 id;
	__u64 n;

	if (!segment_parse(skb, &seg) || !tuple_of_packet(skb, false, &t))
		return PASS;
	id = tuple_id(&t, seg.ack);
	if (done == 0) {
		count(cg, SL_C_SEGMENTS, 1);
		count(cg, SL_C_BYTES_SEEN, seg.len);
		if (!send_open(cg, &t, id, SL_ROLE_SERVER, SL_F_EARLY)) {
			count_exact(cg, SL_C_LOST_REQUEST);
			return PASS;
		}
	}
	if (done >= seg.len || done >= TURN_BUDGET)
		return PASS;
	n = seg.len - done;
	if (n > SL_DATA_LARGE)
		n = SL_DATA_LARGE;
	rec = bpf_ringbuf_reserve(&ring, sizeof(*rec) + SL_DATA_LARGE, 0);
	if (!rec) {
		if (done)
			count_exact(cg, SL_C_LOST_DATA);
		else
			count_exact(cg, SL_C_LOST_REQUEST);
		return PASS;
	}
	if (!load_bytes(skb, seg.off + done, rec->data, n, SL_DATA_LARGE)) {
		count_exact(cg, SL_C_LOST_HELPER);
		bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);
		return PASS;
	}
	fill_header(&rec->h, SL_DATA | SL_INGRESS << 8 | n << 32, id);
	rec->seq = seg.seq + done;
	rec->from_seq = seg.seq + done;
	rec->to_seq = seg.seq + done + n;
	rec->peer_seq = seg.ack;
	rec->tid = 0;
	rec->tgid = 0;
	bpf_ringbuf_submit(rec, wake_flags(cg));
	count(cg, SL_C_BYTES_SENT, n);
	skb->cb[CB_LEFT] = done + n;
	bpf_tail_call(skb, &next_ingress, NEXT_EARLY);
	return PASS;
}

/* An IPv4 connection of an IPv6 socket has mapped addresses (and IPv4 packets). */
static __always_inline bool is_mapped(const __u32 *addr)
{
	return addr[0] == 0 && addr[1] == 0 && addr[2] == bpf_htonl(0xffff);
}

static __always_inline void tuple_of_sock(struct bpf_sock_ops *ctx, struct tuple *t)
{
	/* volatile: the verifier takes only plain offsets from ctx, so no address may be shared. */
	volatile struct bpf_sock_ops *c = ctx;

	__builtin_memset(t, 0, sizeof(*t));
	t->local_port = c->local_port;
	t->remote_port = bpf_ntohl(c->remote_port);
	t->family = 4;
	if (c->family != AF_INET6) {
		t->local_addr[0] = c->local_ip4;
		t->remote_addr[0] = c->remote_ip4;
		return;
	}
	t->local_addr[0] = c->local_ip6[0];
	t->local_addr[1] = c->local_ip6[1];
	t->local_addr[2] = c->local_ip6[2];
	t->local_addr[3] = c->local_ip6[3];
	t->remote_addr[0] = c->remote_ip6[0];
	t->remote_addr[1] = c->remote_ip6[1];
	t->remote_addr[2] = c->remote_ip6[2];
	t->remote_addr[3] = c->remote_ip6[3];
	t->family = 6;
	if (is_mapped(t->local_addr)) {
		t->local_addr[0] = t->local_addr[3];
		t->remote_addr[0] = t->remote_addr[3];
		for (int i = 1; i < 4; i++)
			t->local_addr[i] = t->remote_addr[i] = 0;
		t->family = 4;
	}
}

static __always_inline void want_state_changes(struct bpf_sock_ops *ctx)
{
	/* Other programs of the cgroup may want their own callbacks: keep their flags. */
	(void)bpf_sock_ops_cb_flags_set(ctx, (int)ctx->bpf_sock_ops_cb_flags |
						     BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void on_established(struct bpf_sock_ops *ctx, struct sl_cgroup *cg,
					   __u8 role)
{
	struct bpf_sock *sk = ctx->sk;
	struct sock_state *st;
	struct tuple t;

	if (role == SL_ROLE_SERVER)
		count_exact(cg, SL_C_ACCEPTED);
	else
		count_exact(cg, SL_C_CONNECTED);
	want_state_changes(ctx);
	if (!sk)
		return;
	st = bpf_sk_storage_get(&socks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!st) {
		count_exact(cg, SL_C_LOST_STORAGE);
		return;
	}
	tuple_of_sock(ctx, &t);
	st->id = tuple_id(&t, ctx->snd_nxt);
	st->role = role;
	st->last_dir = 2;
	start_half(&st->half[SL_INGRESS], ctx->rcv_nxt);
	start_half(&st->half[SL_EGRESS], ctx->snd_nxt);
}

static __always_inline void on_closed(struct bpf_sock_ops *ctx, struct sl_cgroup *cg, __u32 old)
{
	struct bpf_sock *sk = ctx->sk;
	struct sock_state *st;
	bool is_reset;

	if (old == BPF_TCP_SYN_SENT || old == BPF_TCP_SYN_RECV) {
		if (old == BPF_TCP_SYN_SENT)
			count_exact(cg, SL_C_CONNECT_FAILED);
		return;
	}
	/* In order, a connection passes LAST_ACK, CLOSING or FIN_WAIT2 first. */
	is_reset =
		old == BPF_TCP_ESTABLISHED || old == BPF_TCP_CLOSE_WAIT || old == BPF_TCP_FIN_WAIT1;
	count_exact(cg, SL_C_CLOSED);
	if (is_reset)
		count_exact(cg, SL_C_RESET);
	if (!sk)
		return;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (!st || st->is_closed)
		return;
	if (!st->is_open) {
		struct tuple t;

		/* Its only data was seen on the listener's socket. */
		if (!ctx->bytes_received || st->role != SL_ROLE_SERVER || st->mute)
			return;
		tuple_of_sock(ctx, &t);
		if (!send_open(cg, &t, st->id, st->role, 0))
			return;
	}
	st->is_closed = true;
	send_close(cg, st, is_reset, ctx->bytes_received, ctx->bytes_acked, ctx->srtt_us >> 3,
		   ctx->total_retrans);
}

SEC("sockops")
int sl_sockops(struct bpf_sock_ops *ctx)
{
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);

	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		want_state_changes(ctx);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		on_established(ctx, cg, SL_ROLE_SERVER);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		on_established(ctx, cg, SL_ROLE_CLIENT);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			on_closed(ctx, cg, ctx->args[0]);
		break;
	}
	return PASS;
}
