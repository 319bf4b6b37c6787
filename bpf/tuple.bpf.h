/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What identifies a connection: its addresses and ports, and the id that is computed from them.
 */
#ifndef SIDELIGHT_TUPLE_BPF_H
#define SIDELIGHT_TUPLE_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET6 10

/* Addresses and ports of a connection, as the observed side sees them. */
struct tuple {
	__u32 local_addr[4];
	__u32 remote_addr[4];
	__u16 local_port;
	__u16 remote_port;
	__u8 family; /* 4 or 6 */
};

/* Is it an IPv4-mapped address? An IPv6 socket has them for its IPv4 connections. */
static __always_inline bool is_mapped(const __u32 *addr)
{
	return addr[0] == 0 && addr[1] == 0 && addr[2] == bpf_htonl(0xffff);
}

/* Makes a tuple with IPv4-mapped addresses one of IPv4. */
static __always_inline void unmap_tuple(struct tuple *t)
{
	if (!is_mapped(t->local_addr))
		return;
	t->local_addr[0] = t->local_addr[3];
	t->remote_addr[0] = t->remote_addr[3];
	for (int i = 1; i < 4; i++)
		t->local_addr[i] = t->remote_addr[i] = 0;
	t->family = 4;
}

/*
 * The id of a connection (see event.h). It is unique for each pair of addresses, since it contains
 * the sequence number and both ports unmixed.
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
