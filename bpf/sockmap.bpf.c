// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Lists the established TCP sockets of a network namespace that are in a BPF sockmap. Data that
 * programs redirect there from socket to socket passes no hook.
 *
 * This is an iterator: it runs only when user space reads it, in the reading process. The kernel
 * has no other interface that shows whether a socket is in a sockmap, and the counters of such a
 * socket do not advance.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The members of kernel types that are read; the loader finds their offsets (CO-RE). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	volatile unsigned char skc_state;
	atomic64_t skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	void *sk_user_data;
};

struct sk_psock {
	struct sock *sk;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

/* The lowest bits of the pointer are flags (SK_USER_DATA_PTRMASK, include/net/sock.h). */
#define POINTER(p) ((void *)((unsigned long)(p) & ~7ul))

SEC("iter/tcp")
int sl_sockmap(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct sk_psock *psock;
	struct sock *sk;
	__u64 cookie;

	if (!common || BPF_CORE_READ(common, skc_state) != BPF_TCP_ESTABLISHED)
		return 0;
	sk = (struct sock *)common; /* established: it is a full socket */
	psock = POINTER(BPF_CORE_READ(sk, sk_user_data));
	/* Other users of the socket store other objects there. */
	if (!psock || BPF_CORE_READ(psock, sk) != sk)
		return 0;
	cookie = (__u64)BPF_CORE_READ(common, skc_cookie.counter); /* 0: none was generated yet */
	(void)bpf_seq_write(ctx->meta->seq, &cookie, sizeof(cookie)); /* full: it is called again */
	return 0;
}
