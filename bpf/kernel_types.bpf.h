/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Types of the kernel that tracepoint programs read.
 */
#ifndef SIDELIGHT_KERNEL_TYPES_BPF_H
#define SIDELIGHT_KERNEL_TYPES_BPF_H

#include <linux/types.h>

#include "syscalls.h"

/* The members of kernel types that are read; the loader finds their offsets (CO-RE). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data; /* of a socket: struct socket */
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct thread_info {
	unsigned long flags;
	__u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned long nvcsw;
	__u64 start_time;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct files_struct *files;
	char comm[SL_CALL_COMM_SIZE];
};

/* Registers of a system call's arguments; the part of a name behind ___ is ignored. */
struct pt_regs___x86 {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
};

struct pt_regs___arm64 {
	__u64 regs[31];
};

struct in6_addr {
	__u32 s6_addr32[4];
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport; /* network order */
	__u16 skc_num; /* host order */
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

/* A struct sock begins it. */
struct tcp_sock {
	__u32 copied_seq; /* the next byte that the program reads */
	__u32 snd_una;
	__u64 bytes_acked;
};

#pragma clang attribute pop

#endif
