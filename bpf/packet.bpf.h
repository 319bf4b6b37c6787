/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From an __sk_buff that starts at the IP header to one TCP segment.
 *
 * Contract of everything here: inlined, bounds-checked against the packet,
 * results in host byte order, false when the packet is not what is asked for.
 * Headers are read in place: in both cgroup_skb hooks the linear part of the
 * packet holds them. Payload is not: it may sit in page fragments.
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

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

/* What skb->cb is for: where a tail call goes on in the segment, zero when a packet comes in. */
enum { CB_OFF, CB_LEFT, CB_TCP_FLAGS, CB_SEQ, CB_CALLS };

struct segment {
	__u32 seq; /* of the first payload byte */
	__u32 ack;
	__u32 off; /* of the payload in the packet */
	__u32 len; /* of the payload; from skb->len, so that GSO and BIG TCP are right */
	__u8 tcp_flags;
};

/* Takes one extension header off, if that is what stands at *at. False: it is not for us. */
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

/* Behind the extension headers; 0 if TCP is not there, or behind more than four. */
static __always_inline __u32 ipv6_skip_extensions(struct __sk_buff *skb, __u8 next)
{
	__u32 at = sizeof(struct ipv6hdr);

	if (!ipv6_skip_extension(skb, &next, &at) || !ipv6_skip_extension(skb, &next, &at) ||
	    !ipv6_skip_extension(skb, &next, &at) || !ipv6_skip_extension(skb, &next, &at))
		return 0;
	return next == IPPROTO_TCP ? at : 0;
}

/* The words of a TCP header that matter: in registers, where a copy of it would be in memory. */
struct tcp_words {
	__u32 ports; /* network order, as the next two */
	__u32 seq;
	__u32 ack;
	__u32 flags; /* bytes as they stand: header length, flags, window */
};

static __always_inline void read_tcp(const __u32 *tcp, struct tcp_words *ret)
{
	ret->ports = tcp[0];
	ret->seq = tcp[1];
	ret->ack = tcp[2];
	ret->flags = tcp[3];
}

/* The first bytes of the packet, as many as are there with any TCP. NULL: there are not that many.
 */
static __always_inline void *ip_header(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;

	if (data + sizeof(struct ipv6hdr) > (void *)(long)skb->data_end)
		return NULL;
	return data;
}

/* A TCP header right behind that of IPv6 is read where it stands; false: it has to be copied. */
static __always_inline bool read_tcp_in_place(struct __sk_buff *skb, struct tcp_words *ret_tcp)
{
	void *data = (void *)(long)skb->data;

	if (data + sizeof(struct ipv6hdr) + sizeof(struct tcphdr) > (void *)(long)skb->data_end)
		return false;
	read_tcp(data + sizeof(struct ipv6hdr), ret_tcp);
	return true;
}

/*
 * Finds the TCP header: its offset, or 0, and its words. In packets without
 * options it stands at one of two places and is read there.
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

/* Keeps the compiler from proving, and then dropping, what the verifier wants to see. */
#define opaque(x) asm volatile("" : "+r"(x))

/*
 * n bytes of the packet, 1 <= n <= 2048 and n <= cap; false if they are not
 * there. Verifiers before 6.8 learn from a comparison with zero nothing, and the
 * compiler makes one of any check of a lower bound: hence the mask.
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

/* How far the packet's socket has received in order; `otherwise` if it does not tell. */
static __always_inline __u32 received_seq(struct __sk_buff *skb, __u32 otherwise)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;

	return tcp ? tcp->rcv_nxt : otherwise;
}

/* Addresses as the observed side names them. */
struct tuple {
	__u32 local_addr[4];
	__u32 remote_addr[4];
	__u16 local_port;
	__u16 remote_port;
	__u8 family; /* 4 or 6 */
};

/* is_egress: the packet's source is the local side. */
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

/*
 * The connection's name (see event.h). For one pair of addresses it is unique
 * by construction: sequence number and both ports are in it unmixed.
 */
static __always_inline __u64 tuple_id(const struct tuple *t, __u32 first_egress_seq)
{
	__u64 addr = 0;

	for (int i = 0; i < 4; i++)
		addr = (addr ^ t->local_addr[i] ^ (__u64)t->remote_addr[i] << 32) *
		       0x9e3779b97f4a7c15ull;
	return addr ^ ((__u64)first_egress_seq << 32 | (__u32)t->remote_port << 16 | t->local_port);
}

#endif
