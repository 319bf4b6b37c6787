// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A second BPF object of the capture: it has a map of its own, and one that it is to share with the
 * programs of bpf/socket.bpf.c, where it puts the end of a connection.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SL_LATE_CLOSES);
	__uint(key_size, 0);
	__uint(value_size, sizeof(struct sl_close));
} late_closes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} own SEC(".maps");

SEC("syscall")
int end_one(void *ctx)
{
	struct sl_close close = {.h = {.kind = SL_CLOSE, .id = 0x5ec0d}};
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&own, &zero);

	(void)ctx;
	if (count)
		close.h.id += (*count)++;
	return (int)bpf_map_push_elem(&late_closes, &close, BPF_EXIST);
}
