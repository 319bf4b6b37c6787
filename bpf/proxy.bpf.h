/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Finds the end of a PROXY header before the first byte of a connection. The whole header is sent,
 * and the bytes behind it are classified as the first bytes of the connection.
 *
 * User space checks whether the header is well formed. Bytes that only resemble a header are sent
 * like any others.
 */
#ifndef SIDELIGHT_PROXY_BPF_H
#define SIDELIGHT_PROXY_BPF_H

#include "http1_head.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

#define WORD_PROXY WORD('P', 'R', 'O', 'X', 'Y', ' ', 0, 0)
#define WORD_PROXY_V2                                                                              \
	WORD('\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q') /* the first eight of twelve bytes */

#define PROXY_V1_START 6 /* length of WORD_PROXY */
#define PROXY_V1_MAX   107 /* with CR LF */
#define PROXY_V2_HEAD  16 /* its last two bytes are the length of the addresses */
#define PROXY_CHUNK    128

_Static_assert(PROXY_CHUNK >= PROXY_V1_MAX && PROXY_CHUNK <= SCAN_CHUNK,
	       "a line fits into scan.buf");

/*
 * Does a PROXY header begin with the first n bytes of a flight, at seq? It may also have begun one
 * or two bytes before, since "P" and "PR" are taken for the HTTP/2 preface until more bytes come.
 */
static __always_inline bool starts_proxy_header(struct direction *d, __u32 seq, __u64 first,
						__u32 n)
{
	__u64 mask = n < 8 ? (1ull << (n & 7) * 8) - 1 : ~0ull;
	__u32 pos = seq - d->first_seq;
	__u64 v1_mask;

	if (pos > 2 || d->proxy != PROXY_NOT_SEEN)
		return false;
	v1_mask = mask & ((1ull << (PROXY_V1_START - pos) * 8) - 1);
	if (((first ^ WORD_PROXY >> pos * 8) & v1_mask) == 0 && n + pos > 2)
		d->proxy = pos ? PROXY_V1 : PROXY_FIRST_BYTES;
	else if (((first ^ WORD_PROXY_V2) & mask) == 0 && pos == 0)
		d->proxy = PROXY_FIRST_BYTES;
	else
		return false;
	d->proxy_pos = pos;
	d->proxy_seq = seq;
	return true;
}

/* Do the next n bytes agree with the first eight bytes of the signature? */
static __always_inline bool is_signature(volatile struct direction *d, __u64 bytes, __u64 n)
{
	__u64 pos = d->proxy_pos;
	__u64 word = WORD_PROXY_V2;
	__u64 end = 8;
	__u64 mask;

	if (d->proxy == PROXY_FIRST_BYTES)
		d->proxy = (bytes & 0xff) == 'P' ? PROXY_V1 : PROXY_V2;
	if (d->proxy == PROXY_V1) {
		word = WORD_PROXY;
		end = PROXY_V1_START;
	}
	if (pos >= end)
		return true;
	end -= pos;
	if (end > n)
		end = n;
	mask = ~0ull >> ((8 - end) * 8 & 63);
	return ((bytes ^ word >> (pos & 7) * 8) & mask) == 0;
}

/*
 * Finds the line feed that ends a header of version 1. Returns how many of the n bytes in s->buf
 * belong to the header; 0: it is none.
 */
static __always_inline __u64 scan_line(volatile struct direction *d, volatile struct scan *s,
				       __u64 n)
{
	__u64 w;

	for (__u64 i = 0; i < PROXY_CHUNK; i += 8) {
		w = newline_marks(*(volatile __u64 *)(s->buf + i));
		if (w) {
			s->pos = i + lowest_mark(w) + 1;
			break;
		}
	}
	if (s->pos && s->pos <= n) {
		n = s->pos;
		d->proxy = PROXY_DONE;
	}
	d->proxy_pos += n;
	return d->proxy_pos <= PROXY_V1_MAX ? n : 0;
}

/* Likewise for version 2, up to the end of its length field, which is parsed. */
static __always_inline __u64 scan_length(volatile struct direction *d, volatile struct scan *s,
					 __u64 n)
{
	__u64 pos = d->proxy_pos;
	__u64 end = pos + n;

	if (end >= PROXY_V2_HEAD) {
		end = PROXY_V2_HEAD;
		d->proxy = PROXY_V2_ADDRESSES;
	}
	if (pos < PROXY_V2_HEAD - 1 && end >= PROXY_V2_HEAD - 1)
		d->proxy_left = s->buf[(PROXY_V2_HEAD - 2 - pos) & 15] << 8;
	if (end == PROXY_V2_HEAD)
		d->proxy_left |= s->buf[(PROXY_V2_HEAD - 1 - pos) & 15];
	d->proxy_pos = end;
	return end - pos;
}

/*
 * Returns how many of the n bytes at off belong to a header whose length is not known yet; 0: it is
 * none. A global function without loops over bytes, see README.md.
 */
__noinline __u32 scan_proxy_header(struct __sk_buff *skb, __u32 off, __u32 n, __u32 is_egress)
{
	struct sock_state *st = find_state(skb);
	__u64 len = n < PROXY_CHUNK ? n : PROXY_CHUNK;
	volatile struct direction *d;

	if (!st || !n || !lock_scan(st))
		return 0;
	d = &st->direction[is_egress ? SL_EGRESS : SL_INGRESS];
	st->scan.pos = 0;
	if (!load_bytes(skb, off, st->scan.buf, len, PROXY_CHUNK) ||
	    !is_signature(d, *(__u64 *)st->scan.buf, len))
		len = 0;
	else if (d->proxy == PROXY_V1)
		len = scan_line(d, &st->scan, len);
	else
		len = scan_length(d, &st->scan, len);
	unlock_scan(st);
	return len;
}

/* Sends n bytes of the header in one record. Returns false if they are lost. */
static __always_inline bool send_proxy_record(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, __u32 flags, __u32 off, __u32 seq, __u64 n)
{
	struct direction *d = &st->direction[dir];
	struct sl_data *rec;

	rec = ring_reserve(sizeof(*rec) + (IS_RINGBUF ? SL_DATA_LARGE : n));
	if (!rec)
		return false;
	if (!load_bytes(skb, off, rec->data, n, SL_DATA_LARGE)) {
		ring_discard(&rec->h);
		return false;
	}
	fill_data_source(rec, skb, st, dir);
	fill_data_range(rec, dir, flags, unreported_start(d, seq), seq, n, seq + n);
	ring_submit(&rec->h);
	d->records++;
	d->bytes_sent += n;
	return true;
}

/* Returns how many of the next n bytes of the segment belong to the header; 0: it has ended. */
static __always_inline __u64 take_proxy_bytes(struct __sk_buff *skb, struct sock_state *st,
					      __u8 dir, const struct segment *seg, __u64 n)
{
	struct direction *d = &st->direction[dir];

	if (st->is_http2 || d->proxy_seq != seg->seq)
		return 0;
	if (d->proxy != PROXY_V2_ADDRESSES)
		return scan_proxy_header(skb, seg->off, n, dir == SL_EGRESS);
	if (n > d->proxy_left)
		n = d->proxy_left;
	d->proxy_left -= n;
	return n;
}

/*
 * Sends the next bytes of the header, and advances seg. Returns false at the end of the segment, or
 * if the header is lost.
 */
static __always_inline bool send_proxy_slice(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					     struct segment *seg)
{
	struct direction *d = &st->direction[dir];
	__u32 flags = 0;
	__u64 n;

	n = take_proxy_bytes(skb, st, dir, seg,
			     seg->len < SL_DATA_LARGE ? seg->len : SL_DATA_LARGE);
	if (n == 0) {
		d->ask_ns = PROXY_DONE;
		return true;
	}
	if (n == seg->len && seg->tcp_flags & TCP_FIN)
		flags = SL_F_FIN;
	if (!send_proxy_record(skb, st, dir, flags, seg->off, seg->seq, n)) {
		count_exact(SL_C_LOST_DATA);
		d->reported_seq = d->next;
		d->is_flight_start = false;
		d->ask_ns = PROXY_DONE;
		return false;
	}
	seg->seq += n;
	seg->off += n;
	seg->len -= n;
	d->reported_seq = d->proxy_seq = seg->seq;
	if (d->proxy == PROXY_DONE || (d->proxy == PROXY_V2_ADDRESSES && d->proxy_left == 0)) {
		d->first_seq = seg->seq;
		d->ask_ns = PROXY_DONE;
	}
	return seg->len > 0;
}

/* Does the next byte of the direction belong to a PROXY header, or may it? */
static __always_inline bool expects_proxy_header(const struct direction *d)
{
	return d->proxy >= PROXY_FIRST_BYTES;
}

#endif
