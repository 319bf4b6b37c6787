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

#define S_IFMT	 0170000
#define S_IFSOCK 0140000

/* The maps of ring.bpf.h are those of the capture; false: nobody reads them. */
const volatile bool reports_reads;

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
	/* All of it is kernel memory that was just read. */
	(void)BPF_CORE_READ_INTO(&t->local_addr, sk, __sk_common.skc_v6_rcv_saddr);
	(void)BPF_CORE_READ_INTO(&t->remote_addr, sk, __sk_common.skc_v6_daddr);
	t->family = 6;
	unmap_tuple(t);
}

/*
 * Reports how far the program has read the connection behind fd. Its first egress sequence number,
 * which is a part of the id, is that of the oldest byte without acknowledgement, less all that were
 * acknowledged. Of a connection that the program has made, the SYN is one of them: it gets an id
 * that nobody has. Without room in the ring it is not known when the requests were read.
 */
static __always_inline void report_read(struct task_struct *task, __u32 fd, __u64 now_ns)
{
	struct file *file = file_of(task, fd);
	struct socket *socket;
	struct tcp_sock *tcp;
	struct sl_read *rec;
	struct sock *sk;
	struct tuple t;
	__u32 first;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	tcp = (struct tcp_sock *)sk;
	fill_tuple(sk, &t);
	first = BPF_CORE_READ(tcp, snd_una) - (__u32)BPF_CORE_READ(tcp, bytes_acked);
	rec = ring_reserve(sizeof(*rec));
	if (!rec)
		return;
	rec->h = (struct sl_header){.kind = SL_READ, .time_ns = now_ns, .id = tuple_id(&t, first)};
	rec->seq = BPF_CORE_READ(tcp, copied_seq);
	rec->pad = 0;
	ring_submit(&rec->h);
}

#endif
