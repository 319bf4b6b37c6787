/* SPDX-License-Identifier: Apache-2.0 */
/* A uprobe that does nothing: see probe.c. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe")
int nothing(void *ctx)
{
	(void)ctx;
	return 0;
}
