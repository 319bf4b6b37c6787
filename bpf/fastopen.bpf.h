/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Data in a SYN (TCP Fast Open, RFC 7413).
 *
 * When the SYN passes, the server has no socket for the connection yet, and there may never be one,
 * since the SYN may be forged. So the data is stored in one of a few slots until the connection is
 * established: at once on the server's side, after one round trip on the client's. If the server
 * did not accept the data, the client retransmits it, and it is dropped as seen before.
 */
#ifndef SIDELIGHT_FASTOPEN_BPF_H
#define SIDELIGHT_FASTOPEN_BPF_H

#include "http1_head.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

#define SYN_SLOTS_LOG2 6

struct syn_data {
	struct bpf_spin_lock lock; /* of is_busy */
	__u32 is_busy; /* a CPU uses the members below */
	__u64 key; /* hash of the addresses; 0: the slot is empty */
	__u64 time_ns;
	__u64 thread; /* tid and tgid, as in struct sl_data */
	__u32 seq;
	__u32 len; /* of the data in the SYN */
	__u64 data[SL_DATA_LARGE / 8]; /* its first bytes */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SYN_SLOTS_LOG2);
	__type(key, __u32);
	__type(value, struct syn_data);
} syn_data SEC(".maps");

/* Set once, with the first SYN that has data: without it no look-up is needed. */
volatile __u32 has_syn_data;

static __always_inline struct syn_data *syn_slot(__u64 key)
{
	__u32 slot = key * 0x9e3779b97f4a7c15ull >> (64 - SYN_SLOTS_LOG2);

	return bpf_map_lookup_elem(&syn_data, &slot);
}

static __always_inline bool lock_syn_slot(struct syn_data *v)
{
	bool is_ours;

	bpf_spin_lock(&v->lock);
	is_ours = !v->is_busy;
	v->is_busy = true;
	bpf_spin_unlock(&v->lock);
	return is_ours;
}

static __always_inline void unlock_syn_slot(struct syn_data *v, __u64 key)
{
	v->key = key;
	bpf_spin_lock(&v->lock);
	v->is_busy = false;
	bpf_spin_unlock(&v->lock);
}

/*
 * Stores the data of a SYN. Data of another SYN in the same slot is replaced and not counted, since
 * either may be forged. A global function, see README.md.
 */
__noinline __u32 store_syn_data(struct __sk_buff *skb, __u32 is_egress)
{
	struct segment seg;
	struct syn_data *v;
	struct tuple t;
	__u64 key;
	__u64 n;

	if (!segment_parse(skb, &seg) || !seg.len || !tuple_of_packet(skb, is_egress, &t))
		return 0;
	key = tuple_id(&t, 0);
	v = syn_slot(key);
	if (!v)
		return 0;
	if (!lock_syn_slot(v)) {
		count_exact(SL_C_LOST_REQUEST);
		return 0;
	}
	n = seg.len < SL_DATA_LARGE ? seg.len : SL_DATA_LARGE;
	if (!load_bytes(skb, seg.off, v->data, n, SL_DATA_LARGE)) {
		count_exact(SL_C_LOST_HELPER);
		key = 0;
	}
	v->time_ns = bpf_ktime_get_ns();
	v->thread = is_egress ? current_thread() : 0;
	v->seq = seg.seq;
	v->len = seg.len;
	unlock_syn_slot(v, key);
	if (!has_syn_data)
		has_syn_data = 1;
	return 1;
}

/* Sends the stored bytes in one record. Bytes beyond them count as lost, not as body. */
static __always_inline void send_syn_data(struct sock_state *st, const struct syn_data *v, __u8 dir)
{
	__u64 n = v->len < SL_DATA_LARGE ? v->len : SL_DATA_LARGE;
	struct direction *d = &st->direction[dir];
	struct sl_data *rec;

	rec = ring_reserve(sizeof(*rec) + SL_DATA_LARGE);
	if (!rec) {
		count_exact(SL_C_LOST_REQUEST);
		return;
	}
	/* The whole slot, so that the verifier sees one path; h.len says how much is valid. */
#pragma unroll 25
	for (__u64 i = 0; i < SL_DATA_LARGE / 8; i++)
		((__u64 *)rec->data)[i] = v->data[i];
	rec->h.id = st->id;
	rec->h.time_ns = v->time_ns;
	rec->peer_seq = d->ack;
	*(__u64 *)&rec->tid = v->thread;
	fill_data_range(rec, dir, 0, v->seq, v->seq, n, v->seq + n);
	ring_submit(&rec->h);
	d->records++;
	d->bytes_sent += n;
}

/* Opens the connection with the data of its SYN. Returns false if the data is not its own. */
static __always_inline bool open_with_syn_data(struct sock_state *st, const struct syn_data *v,
					       const struct tuple *t, __u8 dir)
{
	struct sl_verdict verdict = {.is_http2 = true};
	struct direction *d = &st->direction[dir];
	__u64 first = v->data[0];

	if (dir == SL_EGRESS && (__u32)d->next - v->len == v->seq)
		d->next = d->first_seq = v->seq;
	if ((__u32)d->next != v->seq)
		return false;
	st->is_open = send_open(t, st->id, st->role, 0, st->direction[SL_INGRESS].first_seq,
				st->direction[SL_EGRESS].first_seq);
	d->next += v->len;
	d->reported_seq = d->next;
	d->flight_ack = d->ack;
	d->budget = FLIGHT_BUDGET;
	d->segments++;
	d->bytes_seen += v->len;
	if (v->len > 1 && (first & 0xffff) == (0x16 | 0x03 << 8)) {
		if (!reads_tls) {
			st->mute = SL_MUTE_TLS;
			send_mute(st->id, SL_MUTE_TLS);
			return true;
		}
		st->protocol = PROTOCOL_TLS;
		d->budget = TLS_BUDGET;
	}
	if (v->len >= 8 && first == WORD_PRI)
		bpf_map_update_elem(&verdicts, &st->id, &verdict, BPF_NOEXIST);
	st->is_head[dir] = (__u32)first == ('H' | 'E' << 8 | 'A' << 16 | 'D' << 24);
	st->is_connect[dir] = first == WORD_CONNECT;
	send_syn_data(st, v, dir);
	return true;
}

/* Looks for data of the SYN when a connection is established; its state is new. */
static __always_inline void use_syn_data(struct sock_state *st, const struct tuple *t)
{
	__u8 dir = st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS;
	__u64 key = tuple_id(t, 0);
	struct syn_data *v = syn_slot(key);

	if (!v || v->key != key)
		return;
	if (!lock_syn_slot(v)) {
		count_exact(SL_C_LOST_REQUEST);
		return;
	}
	if (v->key == key && open_with_syn_data(st, v, t, dir))
		key = 0;
	else
		key = v->key;
	unlock_syn_slot(v, key);
}

#endif
