/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The sockets behind descriptors of the current task, and reports of how far it has read them, in
 * the ring of the capture.
 */
#ifndef SIDELIGHT_SOCKET_READS_BPF_H
#define SIDELIGHT_SOCKET_READS_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "kernel_types.bpf.h"
#include "ring.bpf.h"
#include "tuple.bpf.h"

#define S_IFMT	    0170000
#define S_IFSOCK    0140000
#define AF_INET	    2
#define SOCK_STREAM 1

/* Reads of TCP sockets that are not reported, since the ring was filled by a quarter. */
volatile __u64 reads_lost;

/*
 * NULL: none. Without RCU: another thread may close the descriptor at the same time, and then
 * either answer is right. Memory that is gone reads as zeros or old values.
 */
static __always_inline struct file *file_of(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;

	if (fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), files + fd))
		return NULL;
	return file;
}

static __always_inline bool is_socket(struct task_struct *task, __u32 fd)
{
	struct file *file = file_of(task, fd);

	return file && (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK;
}

static __always_inline void fill_tuple(struct sock *sk, struct tuple *t)
{
	__builtin_memset(t, 0, sizeof(*t));
	t->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	t->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	t->family = 4;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_INET6) {
		t->local_addr[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		t->remote_addr[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		return;
	}
	/* Kernels without IPv6 lack the members. Where they exist, it is memory that was just read.
	 */
	if (!bpf_core_field_exists(sk->__sk_common.skc_v6_daddr))
		return;
	(void)BPF_CORE_READ_INTO(&t->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
	(void)BPF_CORE_READ_INTO(&t->remote_addr, sk, __sk_common.skc_v6_daddr);
	t->family = 6;
	unmap_tuple(t);
}

/*
 * The first egress sequence number: that of the oldest byte without acknowledgement, less all that
 * were acknowledged. Of a connection that the program has made, the SYN is one of them. An
 * acknowledgement may come between the two.
 */
static __always_inline __u32 first_egress_seq(struct tcp_sock *tcp)
{
	__u32 acked = (__u32)BPF_CORE_READ(tcp, bytes_acked);
	__u32 una = BPF_CORE_READ(tcp, snd_una);
	__u32 again = (__u32)BPF_CORE_READ(tcp, bytes_acked);

	return acked == again ? una - acked : BPF_CORE_READ(tcp, snd_una) - again;
}

/* The TCP socket behind fd, or NULL. */
static __always_inline struct sock *tcp_socket(struct task_struct *task, __u32 fd)
{
	struct file *file = file_of(task, fd);
	struct socket *socket;
	struct sock *sk;
	__u16 family;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP ||
	    BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return NULL;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sk : NULL;
}

/*
 * Reports that the program has read so many bytes from fd. It takes no room that requests need:
 * those that are read while the ring is filled by a quarter have no known time of that.
 */
static __always_inline void report_read(struct task_struct *task, __u32 fd, __u64 bytes,
					__u64 now_ns)
{
	struct sock *sk = tcp_socket(task, fd);
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	struct sl_read *rec;
	struct tuple t;
	__u64 id;

	if (!sk)
		return;
	if (shared.produced - shared.consumed > ring_bytes / 4)
		goto lost;
	fill_tuple(sk, &t);
	id = tuple_id(&t, first_egress_seq(tcp));
	rec = ring_reserve(sizeof(*rec));
	if (!rec)
		goto lost;
	rec->h = (struct sl_header){.kind = SL_READ, .time_ns = now_ns, .id = id};
	rec->to_seq = BPF_CORE_READ(tcp, copied_seq);
	rec->from_seq = rec->to_seq - (__u32)bytes;
	ring_submit(&rec->h);
	return;

lost:
	__sync_fetch_and_add(&reads_lost, 1);
}

#endif
