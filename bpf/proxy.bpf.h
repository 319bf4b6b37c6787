/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The PROXY header before the first byte of a connection: where it ends. All of it is sent, and
 * what follows is looked at as the first bytes of the connection.
 *
 * Whether the header is well formed is user space's business. What only looks like one costs
 * nothing: it is sent as it would be without this.
 */
#ifndef SIDELIGHT_PROXY_BPF_H
#define SIDELIGHT_PROXY_BPF_H

#include "http1.bpf.h"
#include "packet.bpf.h"
#include "record.bpf.h"
#include "state.bpf.h"

#define WORD_PROXY    WORD('P', 'R', 'O', 'X', 'Y', ' ', 0, 0)
#define WORD_PROXY_V2 WORD('\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q') /* of twelve bytes */

#define PROXY_V1_START 6 /* bytes of WORD_PROXY */
#define PROXY_V1_MAX   107 /* CR LF included */
#define PROXY_V2_HEAD  16 /* the last two are the length of what follows */
#define PROXY_CHUNK    128

_Static_assert(PROXY_CHUNK >= PROXY_V1_MAX && PROXY_CHUNK <= SCAN_CHUNK, "a line, in scan.buf");

/*
 * Does a PROXY header begin, with the n first bytes of a turn, at seq? It may also have begun one
 * or two bytes before: "P" and "PR" are taken for the preface of HTTP/2 until more comes.
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

/* Do the n bytes at the place agree with the signature, as far as its first eight bytes go? */
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

/* The line ends with a line feed. Returns how many of the n bytes in s->buf are of it; 0: none. */
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

/* Likewise of version 2, up to its length, of which the place is below. */
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
 * How many of the n bytes at off are of the header whose length is not known yet; 0: it is none. A
 * global function: the verifier takes it by itself, see scan_head(). Words, and no loop over
 * bytes: the verifier would follow every way through each of them.
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

/* One record of the n bytes at off, which are of the header. False: they are lost. */
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

/*
 * How many of the next n bytes of the segment are of the header. 0: none, and the header is over.
 */
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
 * Sends the next bytes of the header, and takes them off the segment. False: all of the segment is
 * dealt with.
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

/* Is the next byte of the direction one of a PROXY header, or may it be? */
static __always_inline bool expects_proxy_header(const struct direction *d)
{
	return d->proxy >= PROXY_FIRST_BYTES;
}

#endif
