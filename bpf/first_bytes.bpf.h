/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Classifies the first bytes of a flight: HTTP/1, HTTP/2, a PROXY header, TLS, or something else.
 */
#ifndef SIDELIGHT_FIRST_BYTES_BPF_H
#define SIDELIGHT_FIRST_BYTES_BPF_H

#include "http1_head.bpf.h"
#include "http2_detection.bpf.h"
#include "packet.bpf.h"
#include "proxy.bpf.h"
#include "state.bpf.h"

/* Results of classify_flight() besides enum sl_mute: HTTP/2 or a PROXY header may begin. */
#define FLIGHT_HTTP2 SL_MUTE_MAX
#define FLIGHT_PROXY (SL_MUTE_MAX + 1)

/*
 * Masks those of the first eight bytes of a record that belong to its n bytes: bytes behind them
 * are left from an older record. There is no branch, because the verifier would follow both its
 * paths to the end of the program.
 */
static __always_inline __u64 first_mask(__u64 n)
{
	__u64 is_short;

	opaque(n);
	n -= 8;
	is_short = (__s64)n >> 63;
	opaque(is_short);
	return ~0ull >> ((-n * 8) & is_short & 63);
}

/* A reason to mute the connection that user space has given, or 0. */
static __always_inline __u32 muted_by_verdict(const struct sock_state *st)
{
	const struct sl_verdict *v = bpf_map_lookup_elem(&verdicts, &st->id);

	return v && v->mute < SL_MUTE_MAX ? v->mute : 0;
}

/*
 * Classifies the n first bytes of a flight on a connection that had no response of HTTP/1 so far;
 * `first` has up to eight of them. Returns what classify_flight() does. A global function, see
 * README.md.
 */
__noinline __u32 classify_first_bytes(struct __sk_buff *skb, __u32 is_egress, __u32 seq,
				      __u64 first, __u32 n)
{
	struct sock_state *st = find_state(skb);
	__u8 dir = is_egress ? SL_EGRESS : SL_INGRESS;
	bool is_from_client;

	if (!st)
		return 0;
	if (st->protocol == PROTOCOL_TLS)
		return muted_by_verdict(st);
	is_from_client = st->role && dir == (st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS);
	if ((first & 0xffff) == (0x16 | 0x03 << 8)) {
		if (!reads_tls)
			return SL_MUTE_TLS;
		st->protocol = PROTOCOL_TLS;
		st->direction[dir].budget = TLS_BUDGET;
		return muted_by_verdict(st);
	}
	if ((!st->role || is_from_client) &&
	    starts_proxy_header(&st->direction[dir], seq, first, n))
		return FLIGHT_PROXY;
	if (starts_http2(st, dir, seq, first, n))
		return FLIGHT_HTTP2;
	/* Only responses identify the protocol, and only if enough bytes are here. */
	if (may_start_response(first, n) || is_from_client)
		return 0;
	if (++st->unknown_flights >= UNKNOWN_FLIGHTS)
		return SL_MUTE_UNKNOWN;
	return muted_by_verdict(st);
}

static __always_inline bool is_request_dir(const struct sock_state *st, __u8 dir)
{
	return dir == (st->role == SL_ROLE_CLIENT ? SL_EGRESS : SL_INGRESS);
}

/* The client pipelines: the next response may answer any of its requests, not only a HEAD. */
static __always_inline void set_pipelined(struct sock_state *st, __u8 dir)
{
	st->direction[dir].is_pipelined = true;
	set_flag(&st->is_head[dir], false);
}

/* 101 Switching Protocols, and any 2xx to CONNECT (RFC 9110 sections 15.2.2, 9.3.6). */
static __always_inline bool is_upgrade(const __u8 *response, bool is_connect)
{
	return (response[9] == '1' && response[10] == '0' && response[11] == '1') ||
	       (is_connect && response[9] == '2');
}

/* Does a request start whose method has a body? A flight may also begin within "HTTP/1.1". */
static __always_inline bool starts_upload(__u32 first)
{
	return first == WORD_4('P', 'O', 'S', 'T') || first == WORD_4('P', 'U', 'T', ' ') ||
	       first == WORD_4('P', 'A', 'T', 'C');
}

/*
 * Classifies the first bytes of a flight. Returns a reason to mute the connection, FLIGHT_HTTP2,
 * FLIGHT_PROXY, or 0. SL_MUTE_UPGRADE of plaintext applies after these bytes are sent, all others
 * before.
 */
static __always_inline __u8 classify_flight(struct __sk_buff *skb, struct sock_state *st, __u8 dir,
					    __u32 seq, const __u8 *buf, __u32 n, bool is_response)
{
	__u64 first = *(const __u64 *)buf & first_mask(n);

	if (is_response) {
		set_protocol(st, PROTOCOL_HTTP1);
		return is_upgrade(buf, st->is_connect[!dir]) ? SL_MUTE_UPGRADE : 0;
	}
	set_flag(&st->is_head[dir], (__u32)first == ('H' | 'E' << 8 | 'A' << 16 | 'D' << 24));
	set_flag(&st->is_connect[dir], first == WORD_CONNECT);
	/* An upload does not belong to the pipelined messages before it. */
	if (starts_upload((__u32)first) && is_request_dir(st, dir))
		st->direction[dir].budget = FLIGHT_BUDGET;
	if (st->protocol == PROTOCOL_HTTP1)
		return 0;
	return classify_first_bytes(skb, dir == SL_EGRESS, seq, first, n);
}

/*
 * Does a response start where body was expected? Then the response before had a Content-Length
 * without a body (HEAD, 304), or the upload was refused.
 */
static __always_inline bool response_at(struct __sk_buff *skb, __u32 off, __u32 len)
{
	__u64 first;

	if (len < 12 || bpf_skb_load_bytes(skb, off, &first, sizeof(first)))
		return false;
	return starts_response(first);
}

/*
 * May a request start where the body of the one before was expected? Then that body was refused
 * before its first byte was sent (Expect: 100-continue). User space decides whether it is a
 * request.
 */
static __always_inline bool request_at(struct __sk_buff *skb, __u32 off, __u32 len)
{
	__u64 first;

	if (len < 16 || bpf_skb_load_bytes(skb, off, &first, sizeof(first)))
		return false;
	/* All known methods begin with three letters. */
	return (first & WORD(0xe0, 0xe0, 0xe0, 0, 0, 0, 0, 0)) ==
	       WORD(0x40, 0x40, 0x40, 0, 0, 0, 0, 0);
}

/* Does a request begin, with one of the methods that clients pipeline? */
static __always_inline bool starts_request(const __u8 *data)
{
	__u32 first = *(const __u32 *)data;

	return starts_upload(first) || first == WORD_4('G', 'E', 'T', ' ') ||
	       first == WORD_4('H', 'E', 'A', 'D') || first == WORD_4('D', 'E', 'L', 'E');
}

#endif
