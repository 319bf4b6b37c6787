/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that do nothing, at the hooks that sidelight uses. Attached to an
 * empty cgroup they cost what the first user of these hooks costs everybody:
 * the kernel patches the calls in (cgroup_bpf_enabled()) for all sockets.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup_skb/ingress")
int nothing_in(struct __sk_buff *skb)
{
	(void)skb;
	return 1;
}

SEC("cgroup_skb/egress")
int nothing_out(struct __sk_buff *skb)
{
	(void)skb;
	return 1;
}

SEC("sockops")
int nothing_ops(struct bpf_sock_ops *ctx)
{
	(void)ctx;
	return 1;
}
