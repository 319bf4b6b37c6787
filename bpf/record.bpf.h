/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Filling and sending the records of event.h.
 */
#ifndef SIDELIGHT_RECORD_BPF_H
#define SIDELIGHT_RECORD_BPF_H

#include "packet.bpf.h"
#include "state.bpf.h"

static __always_inline void fill_header(struct sl_header *h, __u8 kind, __u64 id)
{
	h->kind = kind;
	h->dir = 0;
	h->flags = 0;
	h->why = 0;
	h->len = 0;
	h->time_ns = bpf_ktime_get_ns();
	h->id = id;
}

static __always_inline bool send_open(struct sl_cgroup *cg, const struct tuple *t, __u64 id,
				      __u8 role, __u8 flags)
{
	struct sl_open *rec = bpf_ringbuf_reserve(&ring, sizeof(*rec), 0);
	__u32 is_sent = 1;

	if (!rec) {
		count_exact(cg, SL_C_LOST_OPEN);
		return false;
	}
	fill_header(&rec->h, SL_OPEN, id);
	rec->h.flags = flags;
	rec->container = cg->container;
	__builtin_memcpy(rec->local_addr, t->local_addr, 16);
	__builtin_memcpy(rec->remote_addr, t->remote_addr, 16);
	rec->local_port = t->local_port;
	rec->remote_port = t->remote_port;
	rec->family = t->family;
	rec->role = role;
	rec->pad[0] = rec->pad[1] = 0;
	bpf_ringbuf_submit(rec, wake_flags());
	count(cg, SL_C_RECORDS, 1);
	/* Else the compiler tests rec again, which may not be touched any more. */
	opaque(is_sent);
	return is_sent;
}

static __always_inline void send_mute(struct sl_cgroup *cg, __u64 id, __u8 why)
{
	struct sl_header *rec = bpf_ringbuf_reserve(&ring, sizeof(*rec), 0);

	if (!rec) {
		count_exact(cg, SL_C_LOST_CLOSE);
		return;
	}
	fill_header(rec, SL_MUTE, id);
	rec->why = why;
	bpf_ringbuf_submit(rec, wake_flags());
	count(cg, SL_C_RECORDS, 1);
}

static __always_inline void send_close(struct sl_cgroup *cg, const struct sock_state *st,
				       bool is_reset, __u64 bytes_in, __u64 bytes_out,
				       __u32 srtt_us, __u32 retransmits)
{
	struct sl_close *rec = bpf_ringbuf_reserve(&ring, sizeof(*rec), 0);

	if (!rec) {
		count_exact(cg, SL_C_LOST_CLOSE);
		return;
	}
	fill_header(&rec->h, SL_CLOSE, st->id);
	rec->h.flags = is_reset ? SL_F_RESET : 0;
	rec->bytes[SL_INGRESS] = bytes_in;
	rec->bytes[SL_EGRESS] = bytes_out;
	rec->to_seq[SL_INGRESS] = st->half[SL_INGRESS].next_seq;
	rec->to_seq[SL_EGRESS] = st->half[SL_EGRESS].next_seq;
	rec->srtt_us = srtt_us;
	rec->retransmits = retransmits;
	bpf_ringbuf_submit(rec, wake_flags());
	count(cg, SL_C_RECORDS, 1);
}

static __always_inline bool has_hole(const struct half *h)
{
	return (__s32)(h->hole_hi - h->hole_lo) > 0;
}

/* All but h.len, seq and to_seq, which the caller knows last. */
static __always_inline void fill_data(struct sl_data *rec, const struct sock_state *st, __u8 dir,
				      __u32 from_seq)
{
	fill_header(&rec->h, SL_DATA, st->id);
	rec->h.dir = dir;
	if (has_hole(&st->half[dir]))
		rec->h.flags |= SL_F_HOLE;
	rec->from_seq = from_seq;
	rec->peer_seq = st->half[!dir].next_seq;
	rec->tid = 0;
	rec->tgid = 0;
	if (dir == SL_EGRESS && has_current_pid) {
		__u64 pid_tgid = bpf_get_current_pid_tgid();

		rec->tid = (__u32)pid_tgid;
		rec->tgid = pid_tgid >> 32;
	}
}

/* News without bytes: the direction has come to to_seq. */
static __always_inline void send_progress(struct sl_cgroup *cg, struct sock_state *st, __u8 dir,
					  __u32 to_seq, bool is_fin)
{
	struct sl_data *rec = bpf_ringbuf_reserve(&ring, sizeof(*rec), 0);
	struct half *h = &st->half[dir];

	if (!rec) {
		count_exact(cg, SL_C_LOST_DATA);
		h->told_seq = to_seq;
		return;
	}
	fill_data(rec, st, dir, h->told_seq);
	if (is_fin)
		rec->h.flags |= SL_F_FIN;
	rec->seq = to_seq;
	rec->to_seq = to_seq;
	h->told_seq = to_seq;
	bpf_ringbuf_submit(rec, wake_flags());
	count(cg, SL_C_RECORDS, 1);
}

#endif
