/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parses an __sk_buff that starts at the IP header into one TCP segment.
 *
 * All functions here are inlined, check bounds against the packet, return results in host byte
 * order, and return false if the packet is not of the expected kind. Headers are read in place,
 * because in both cgroup_skb hooks they are in the linear part of the packet. Payload may be in
 * page fragments, and is loaded by a helper.
 */
#ifndef SIDELIGHT_PACKET_BPF_H
#define SIDELIGHT_PACKET_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tuple.bpf.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

struct segment {
	__u32 seq; /* of the first payload byte */
	__u32 ack;
	__u32 off; /* of the payload in the packet */
	__u32 len; /* of the payload; from skb->len, so that GSO and BIG TCP are right */
	__u8 tcp_flags;
	bool is_begun; /* begin_segment() has counted it */
};

/* Skips the extension header at *at. Returns false if no TCP header can follow. */
static __always_inline bool ipv6_skip_extension(struct __sk_buff *skb, __u8 *next, __u32 *at)
{
	__u8 ext[2];

	if (*next == IPPROTO_TCP)
		return true;
	if (*next != IPPROTO_HOPOPTS && *next != IPPROTO_ROUTING && *next != IPPROTO_DSTOPTS)
		return false;
	if (bpf_skb_load_bytes(skb, *at, ext, sizeof(ext)))
		return false;
	*next = ext[0];
	*at += ((__u32)ext[1] + 1) * 8;
	return true;
}

/* Offset of the TCP header behind at most four extension headers; 0: there is none. */
static __always_inline __u32 ipv6_skip_extensions(struct __sk_buff *skb, __u8 next)
{
	__u32 at = sizeof(struct ipv6hdr);

	if (!ipv6_skip_extension(skb, &next, &at) || !ipv6_skip_extension(skb, &next, &at) ||
	    !ipv6_skip_extension(skb, &next, &at) || !ipv6_skip_extension(skb, &next, &at))
		return 0;
	return next == IPPROTO_TCP ? at : 0;
}

/* The words of a TCP header that are needed, as values that fit into registers. */
struct tcp_words {
	__u32 ports; /* in network order, likewise seq and ack */
	__u32 seq;
	__u32 ack;
	__u32 flags; /* the bytes of header length, flags and window */
};

static __always_inline void read_tcp(const __u32 *tcp, struct tcp_words *ret)
{
	ret->ports = tcp[0];
	ret->seq = tcp[1];
	ret->ack = tcp[2];
	ret->flags = tcp[3];
}

/* The IP header, with as many bytes as any packet with TCP has. NULL: the packet is shorter. */
static __always_inline void *ip_header(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;

	if (data + sizeof(struct ipv6hdr) > (void *)(long)skb->data_end)
		return NULL;
	return data;
}

/* Reads a TCP header in place that follows the IPv6 header. False: it has to be copied. */
static __always_inline bool read_tcp_in_place(struct __sk_buff *skb, struct tcp_words *ret_tcp)
{
	void *data = (void *)(long)skb->data;

	if (data + sizeof(struct ipv6hdr) + sizeof(struct tcphdr) > (void *)(long)skb->data_end)
		return false;
	read_tcp(data + sizeof(struct ipv6hdr), ret_tcp);
	return true;
}

/*
 * Finds the TCP header. Returns its offset, or 0. In packets without IP options it is at one of two
 * offsets, and is read in place.
 */
static __always_inline __u32 find_tcp(struct __sk_buff *skb, struct tcp_words *ret_tcp)
{
	__u32 copy[sizeof(struct tcphdr) / 4];
	void *data = ip_header(skb);
	__u32 at;

	if (!data)
		return 0;
	if (*(__u8 *)data >> 4 == 4) {
		if (((struct iphdr *)data)->protocol != IPPROTO_TCP)
			return 0;
		if (*(__u8 *)data == 0x45) {
			read_tcp(data + sizeof(struct iphdr), ret_tcp);
			return sizeof(struct iphdr);
		}
		at = (*(__u8 *)data & 0x0f) * 4;
	} else {
		__u8 next = ((struct ipv6hdr *)data)->nexthdr;

		if (next == IPPROTO_TCP && read_tcp_in_place(skb, ret_tcp))
			return sizeof(struct ipv6hdr);
		at = ipv6_skip_extensions(skb, next);
	}
	if (at == 0 || bpf_skb_load_bytes(skb, at, copy, sizeof(copy)))
		return 0;
	read_tcp(copy, ret_tcp);
	return at;
}

static __always_inline bool segment_parse(struct __sk_buff *skb, struct segment *seg)
{
	struct tcp_words tcp;
	__u32 ip_len = find_tcp(skb, &tcp);
	__u32 hdr_len = ip_len + (tcp.flags >> 4 & 0x0f) * 4;

	if (ip_len == 0 || hdr_len > skb->len)
		return false;
	seg->tcp_flags = tcp.flags >> 8;
	seg->seq = bpf_ntohl(tcp.seq) + (seg->tcp_flags & TCP_SYN ? 1 : 0);
	seg->ack = bpf_ntohl(tcp.ack);
	seg->off = hdr_len;
	seg->len = skb->len - hdr_len;
	return true;
}

/* Hides a value from the compiler, see README.md. */
#define opaque(x) asm volatile("" : "+r"(x))

/*
 * Copies n bytes of the packet, 1 <= n <= 2048 and n <= cap. Returns false if they are not there.
 * The mask is for the verifier, see README.md.
 */
static __always_inline bool load_bytes(struct __sk_buff *skb, __u32 off, void *to, __u64 n,
				       __u64 cap)
{
	n--;
	opaque(n);
	n = (n & 2047) + 1;
	opaque(n);
	if (n > cap)
		return false;
	return bpf_skb_load_bytes(skb, off, to, n) == 0;
}

/* The next sequence number that the packet's socket expects; `otherwise` if it is unknown. */
static __always_inline __u32 received_seq(struct __sk_buff *skb, __u32 otherwise)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;

	return tcp ? tcp->rcv_nxt : otherwise;
}

/* is_egress: the packet's source is the observed side. */
static __always_inline bool tuple_of_packet(struct __sk_buff *skb, bool is_egress, struct tuple *t)
{
	void *data = ip_header(skb);
	__u32 *src = is_egress ? t->local_addr : t->remote_addr;
	__u32 *dst = is_egress ? t->remote_addr : t->local_addr;
	__u16 *sport = is_egress ? &t->local_port : &t->remote_port;
	__u16 *dport = is_egress ? &t->remote_port : &t->local_port;
	struct tcp_words tcp;

	if (!data || !find_tcp(skb, &tcp))
		return false;
	__builtin_memset(t, 0, sizeof(*t));
	if (*(__u8 *)data >> 4 == 4) {
		struct iphdr *ip = data;

		src[0] = ip->saddr;
		dst[0] = ip->daddr;
		t->family = 4;
	} else {
		const struct ipv6hdr *ip6 = data;

		__builtin_memcpy(src, &ip6->saddr, 16);
		__builtin_memcpy(dst, &ip6->daddr, 16);
		t->family = 6;
	}
	*sport = bpf_ntohs(tcp.ports & 0xffff);
	*dport = bpf_ntohs(tcp.ports >> 16);
	return true;
}

/* The addresses in the form that socket look-ups take; the peer is the source. */
static __always_inline void fill_sock_tuple(const struct tuple *t, struct bpf_sock_tuple *ret_tuple)
{
	__builtin_memset(ret_tuple, 0, sizeof(*ret_tuple));
	if (t->family == 4) {
		ret_tuple->ipv4.saddr = t->remote_addr[0];
		ret_tuple->ipv4.daddr = t->local_addr[0];
		ret_tuple->ipv4.sport = bpf_htons(t->remote_port);
		ret_tuple->ipv4.dport = bpf_htons(t->local_port);
	} else {
		__builtin_memcpy(ret_tuple->ipv6.saddr, t->remote_addr, 16);
		__builtin_memcpy(ret_tuple->ipv6.daddr, t->local_addr, 16);
		ret_tuple->ipv6.sport = bpf_htons(t->remote_port);
		ret_tuple->ipv6.dport = bpf_htons(t->local_port);
	}
}

#endif
