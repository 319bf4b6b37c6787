// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What accelerators of meshes do: every connection of a cgroup goes into a
 * sockmap, and what one end sends is put into the other end's queue. With PASS
 * the program looks on, and TCP carries the data.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct ends {
	__u32 local_port;
	__u32 remote_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, struct ends);
	__type(value, __u64);
} ends SEC(".maps");

SEC("sockops")
int add(struct bpf_sock_ops *ctx)
{
	struct ends key = {ctx->local_port, bpf_ntohl(ctx->remote_port)};

	if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB ||
	    ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		bpf_sock_hash_update(ctx, &ends, &key, BPF_ANY);
	return 1;
}

SEC("sk_msg")
int redirect(struct sk_msg_md *msg)
{
#ifndef PASS
	struct ends peer = {bpf_ntohl(msg->remote_port), msg->local_port};

	bpf_msg_redirect_hash(msg, &ends, &peer, BPF_F_INGRESS);
#endif
	return SK_PASS;
}
