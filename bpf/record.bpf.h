/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fills and sends the records of event.h.
 */
#ifndef SIDELIGHT_RECORD_BPF_H
#define SIDELIGHT_RECORD_BPF_H

#include "packet.bpf.h"
#include "ring.bpf.h"
#include "state.bpf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first word of a record");

/* first: the first five fields in one word, see README.md. */
static __always_inline void fill_header(struct sl_header *h, __u64 first, __u64 id)
{
	*(__u64 *)h = first;
	h->id = id;
	h->time_ns = bpf_ktime_get_ns();
}

#define FIRST_FLAGS(flags) ((__u32)(flags) << 16)
#define FIRST_WHY(why)	   ((__u32)(why) << 24)

static __always_inline bool send_open(const struct tuple *t, __u64 id, __u8 role, __u8 flags,
				      __u32 first_ingress, __u32 first_egress)
{
	struct sl_open *rec = ring_reserve(sizeof(*rec));
	struct sl_cgroup *cg = bpf_get_local_storage(&cgroups, 0);
	__u32 is_sent = 1;

	if (!rec) {
		count_exact(SL_C_LOST_OPEN);
		return false;
	}
	fill_header(&rec->h, SL_OPEN | FIRST_FLAGS(flags), id);
	rec->container = cg->container;
	cg->counter[SL_C_RECORDS]++;
	__builtin_memcpy(rec->local_addr, t->local_addr, 16);
	__builtin_memcpy(rec->remote_addr, t->remote_addr, 16);
	rec->local_port = t->local_port;
	rec->remote_port = t->remote_port;
	rec->family = t->family;
	rec->role = role;
	rec->pad[0] = rec->pad[1] = 0;
	rec->first_seq[SL_INGRESS] = first_ingress;
	rec->first_seq[SL_EGRESS] = first_egress;
	ring_submit(&rec->h);
	/* Otherwise the compiler tests rec again, which the verifier refuses after the submit. */
	opaque(is_sent);
	return is_sent;
}

static __always_inline void send_mute(__u64 id, __u8 why)
{
	struct sl_header *rec = ring_reserve(sizeof(*rec));

	if (!rec) {
		count_exact(SL_C_LOST_MUTE);
		return;
	}
	fill_header(rec, SL_MUTE | FIRST_WHY(why), id);
	ring_submit(rec);
	count(SL_C_RECORDS, 1);
}

/*
 * Replaces the state of a muted connection by a few bytes. A program on another CPU may still use
 * the state: the kernel frees it by RCU. A global function, see README.md.
 */
__noinline __u32 shrink_state(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct muted_state *muted_st;
	struct sock_state *st;

	if (!sk)
		return 0;
	st = bpf_sk_storage_get(&socks, sk, NULL, 0);
	if (!st)
		return 0;
	/* Without memory, the state stays, and its member mute says that it is muted. */
	muted_st = bpf_sk_storage_get(&muted, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!muted_st)
		return 0;
	muted_st->id = st->id;
	muted_st->opened = st->opened;
	muted_st->is_open = st->is_open;
	muted_st->is_midstream = st->start == START_MISSED;
	muted_st->ends = st->ends;
	muted_st->role = st->role;
	muted_st->is_finished[SL_INGRESS] = st->direction[SL_INGRESS].is_finished;
	muted_st->is_finished[SL_EGRESS] = st->direction[SL_EGRESS].is_finished;
	flush_volume(&st->direction[SL_INGRESS]);
	flush_volume(&st->direction[SL_EGRESS]);
	/* No callback will report its end. */
	muted_st->is_released = muted_st->is_midstream && !st->is_closed;
	if (muted_st->is_released)
		release_state();
	return bpf_sk_storage_delete(&socks, sk) == 0;
}

static __always_inline void mute(struct __sk_buff *skb, struct sock_state *st, enum sl_mute why)
{
	st->mute = why;
	if (st->is_open)
		send_mute(st->id, why);
	shrink_state(skb);
}

static __always_inline void fill_close(struct sl_close *rec, const struct sock_state *st,
				       bool is_reset, __u64 bytes_in, __u64 bytes_out,
				       __u32 srtt_us, __u32 retransmits)
{
	const struct direction *in = &st->direction[SL_INGRESS];
	const struct direction *out = &st->direction[SL_EGRESS];

	fill_header(&rec->h, SL_CLOSE | FIRST_FLAGS(is_reset ? SL_F_RESET : 0), st->id);
	rec->bytes[SL_INGRESS] = bytes_in;
	rec->bytes[SL_EGRESS] = bytes_out;
	rec->to_seq[SL_INGRESS] = in->next;
	rec->to_seq[SL_EGRESS] = out->next;
	rec->reported_seq[SL_INGRESS] = in->reported_seq;
	rec->reported_seq[SL_EGRESS] = out->reported_seq;
	rec->srtt_us = srtt_us;
	rec->retransmits = retransmits;
}

/*
 * Reports the end of a muted connection: TCP's counters, without positions in the stream. If the
 * ring has no room, the record is counted as lost: no request depends on it.
 */
static __always_inline void send_muted_close(__u64 id, bool is_reset, __u64 bytes_in,
					     __u64 bytes_out, __u32 srtt_us, __u32 retransmits)
{
	struct sl_close *rec = ring_reserve(sizeof(*rec));

	if (!rec) {
		count_exact(SL_C_LOST_CLOSE);
		return;
	}
	__builtin_memset(rec, 0, sizeof(*rec));
	fill_header(&rec->h, SL_CLOSE | FIRST_FLAGS(is_reset ? SL_F_RESET : 0), id);
	rec->bytes[SL_INGRESS] = bytes_in;
	rec->bytes[SL_EGRESS] = bytes_out;
	rec->srtt_us = srtt_us;
	rec->retransmits = retransmits;
	ring_submit(&rec->h);
	count(SL_C_RECORDS, 1);
}

static __always_inline void send_close(const struct sock_state *st, bool is_reset, __u64 bytes_in,
				       __u64 bytes_out, __u32 srtt_us, __u32 retransmits)
{
	struct sl_close *rec = ring_reserve(sizeof(*rec));
	struct sl_close late;

	if (!rec) {
		fill_close(&late, st, is_reset, bytes_in, bytes_out, srtt_us, retransmits);
		if (bpf_map_push_elem(&late_closes, &late, 0))
			count_exact(SL_C_LOST_CLOSE);
		else
			has_late_close = 1;
		return;
	}
	fill_close(rec, st, is_reset, bytes_in, bytes_out, srtt_us, retransmits);
	ring_submit(&rec->h);
	count(SL_C_RECORDS, 1);
}

/* A segment's own time stamp is used if it is at most this much newer than st->clock_ns. */
#define RECENT_NS (1000ull * 1000 * 1000)

/*
 * The time when the segment passed. TCP writes the time of departure into each segment it sends, by
 * the same clock (skb_mstamp_ns, in __tcp_transmit_skb() since 4.20), which saves reading it.
 */
static __always_inline __u64 segment_time(const struct __sk_buff *skb, struct sock_state *st,
					  __u8 dir)
{
	__u64 now;

	/* Minus one, because both are zero if neither is known. */
	if (skb && dir == SL_EGRESS && skb->tstamp - st->clock_ns - 1 < RECENT_NS)
		return skb->tstamp;
	now = bpf_ktime_get_ns();
	/* Rarely, because the other direction reads this cache line, too. */
	if (now - st->clock_ns > RECENT_NS / 2)
		st->clock_ns = now;
	return now;
}

/*
 * Fills the members of a data record that do not depend on its bytes. The caller calls this between
 * the copy of the bytes and the first access to them, which has to wait for their cache lines.
 */
static __always_inline void fill_data_source(struct sl_data *rec, const struct __sk_buff *skb,
					     struct sock_state *st, __u8 dir)
{
	rec->h.id = st->id;
	rec->peer_seq = st->direction[dir].ack;
	rec->h.time_ns = segment_time(skb, st, dir);
	/* Both ids in one word, see README.md. */
	*(__u64 *)&rec->tid = dir == SL_EGRESS ? current_thread() : 0;
}

/* The record contains n bytes from seq on, and reports the direction up to to_seq. */
static __always_inline void fill_data_range(struct sl_data *rec, __u8 dir, __u32 flags,
					    __u32 from_seq, __u32 seq, __u32 n, __u32 to_seq)
{
	*(__u64 *)&rec->h = SL_DATA | dir << 8 | FIRST_FLAGS(flags) | (__u64)n << 32;
	rec->seq = seq;
	rec->from_seq = from_seq;
	rec->to_seq = to_seq;
}

/* Sends a record without bytes, which reports the direction up to to_seq. */
static __always_inline void send_progress(struct sock_state *st, __u8 dir, __u32 to_seq,
					  bool is_fin)
{
	struct sl_data *rec = ring_reserve(sizeof(*rec));
	struct direction *d = &st->direction[dir];

	if (!rec) {
		count_exact(SL_C_LOST_DATA);
		d->reported_seq = to_seq;
		return;
	}
	fill_data_source(rec, NULL, st, dir);
	fill_data_range(rec, dir, is_fin ? SL_F_FIN : 0, unreported_start(d, to_seq), to_seq, 0,
			to_seq);
	d->reported_seq = to_seq;
	d->records++;
	ring_submit(&rec->h);
}

/* Reports bytes of the listener's socket, from seq to to_seq, that are not copied. */
static __always_inline void send_early_uncopied(__u64 id, __u32 seq, __u32 to_seq, __u32 peer_seq)
{
	struct sl_data *rec = ring_reserve(sizeof(*rec));

	if (!rec) {
		count_exact(SL_C_LOST_DATA);
		return;
	}
	fill_header(&rec->h, SL_DATA | SL_INGRESS << 8, id);
	rec->seq = rec->from_seq = seq;
	rec->to_seq = to_seq;
	rec->peer_seq = peer_seq;
	rec->tid = 0;
	rec->tgid = 0;
	ring_submit(&rec->h);
	count(SL_C_RECORDS, 1);
}

/*
 * Sends as many of the n bytes at off as one record takes, without parsing them. Returns how many,
 * or 0 if they are lost, which is counted.
 */
static __always_inline __u32 send_raw(struct __sk_buff *skb, __u64 id, __u32 flags, __u32 off,
				      __u32 from_seq, __u32 seq, __u64 n, __u32 peer_seq,
				      bool is_request)
{
	struct sl_data *rec;

	if (n > SL_DATA_LARGE)
		n = SL_DATA_LARGE;
	rec = ring_reserve(sizeof(*rec) + (IS_RINGBUF ? SL_DATA_LARGE : n));
	if (!rec) {
		if (is_request)
			count_exact(SL_C_LOST_REQUEST);
		else
			count_exact(SL_C_LOST_DATA);
		return 0;
	}
	if (!load_bytes(skb, off, rec->data, n, SL_DATA_LARGE)) {
		count_exact(SL_C_LOST_HELPER);
		ring_discard(&rec->h);
		return 0;
	}
	fill_header(&rec->h, SL_DATA | SL_INGRESS << 8 | FIRST_FLAGS(flags) | n << 32, id);
	rec->seq = seq;
	rec->from_seq = from_seq;
	rec->to_seq = seq + n;
	rec->peer_seq = peer_seq;
	rec->tid = 0;
	rec->tgid = 0;
	ring_submit(&rec->h);
	count(SL_C_BYTES_SENT, n);
	count(SL_C_RECORDS, 1);
	return n;
}

#endif
