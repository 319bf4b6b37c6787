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

/* Elements that may be taken instead of one that still is. */
#define TRIES 4

const volatile __u64 cookie;

/* Elements that are taken, by their indices: adding one that is there fails. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SL_SECRETS);
	__type(key, __u32);
	__type(value, __u8);
} taken SEC(".maps");

/* Returns an element that is the caller's now; NULL: there is none. */
static __always_inline struct sl_secret *take(__u32 *ret_index)
{
	__u8 one = 1;

	for (int i = 0; i < TRIES; i++) {
		/* Several programs may read the same number: only one gets the element. */
		__u32 index = counters.next_element % SL_SECRETS;

		__sync_fetch_and_add(&counters.next_element, 1);
		if (bpf_map_update_elem(&taken, &index, &one, BPF_NOEXIST) == 0) {
			*ret_index = index;
			return bpf_map_lookup_elem(&secrets, &index);
		}
	}
	return NULL;
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
		__sync_fetch_and_add(&counters.lost_full, 1);
	else if (!hand_over(s, index, registers, cookie, kind, false))
		bpf_map_delete_elem(&taken, &index);
	return 0;
}
