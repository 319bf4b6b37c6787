// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The uprobe of secrets.bpf.c for kernels without uprobe_multi (before 6.6): run by perf events,
 * which have no cookie before 5.15, so one program is loaded for each cookie; it may not sleep
 * before 6.0, and has no compare-and-swap before 5.12.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "secret.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 cookie;

/*
 * The indices of all elements, by which programs take turns: who has popped one is the only one
 * that looks at its element, until it is pushed back.
 */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SL_SECRETS);
	__uint(value_size, sizeof(__u32));
} turns SEC(".maps");

/* Returns an element that is the caller's now; NULL: user space has not read what it holds. */
static __always_inline struct sl_secret *take(__u32 *ret_index)
{
	struct sl_secret *s;
	bool is_free;

	if (bpf_map_pop_elem(&turns, ret_index))
		return NULL;
	s = bpf_map_lookup_elem(&secrets, ret_index);
	is_free = s && !s->is_taken;
	if (is_free)
		s->is_taken = 1;
	/* There is room: that of the one that was popped. */
	bpf_map_push_elem(&turns, ret_index, 0);
	return is_free ? s : NULL;
}

SEC("uprobe")
int sl_secret_event(__u64 *ctx)
{
	__u64 registers[16];
	struct sl_secret *s;
	__u32 index = 0;
	__u32 kind;

	if (cookie & SL_COOKIE_SHARED && !is_watched())
		return 0;
	read_registers(ctx, registers);
	kind = read_kind(registers, cookie, false);
	if (kind == SL_SECRET_KINDS)
		return 0;
	s = take(&index);
	if (!s)
		__sync_fetch_and_add(&lost.full, 1);
	else
		hand_over(s, index, registers, cookie, kind, false);
	return 0;
}
