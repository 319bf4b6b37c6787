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

/* Numbers that are tried when other CPUs have got the ones before. */
#define TRIES 4

const volatile __u64 cookie;

/*
 * Numbers that were given out lately: adding one that is there fails. An element is taken by who
 * has got a number, of which it is the remainder.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * SL_SECRETS);
	__type(key, __u32);
	__type(value, __u8);
} given SEC(".maps");

/* Several programs may read the same number: only one gets it. Returns whether this one did. */
static __always_inline bool take_number(__u32 *ret_number)
{
	__u32 old;
	__u8 one = 1;

	for (int i = 0; i < TRIES; i++) {
		*ret_number = counters.next_element;
		__sync_fetch_and_add(&counters.next_element, 1);
		if (bpf_map_update_elem(&given, ret_number, &one, BPF_NOEXIST) == 0) {
			/* Nobody has read that one a moment ago. */
			old = *ret_number - SL_SECRETS;
			bpf_map_delete_elem(&given, &old);
			return true;
		}
	}
	return false;
}

/* Returns an element that is the caller's now; NULL: user space has not taken what it holds. */
static __always_inline struct sl_secret *take(__u32 *ret_index)
{
	struct sl_secret *s;
	__u32 number;

	if (!take_number(&number))
		return NULL;
	*ret_index = number % SL_SECRETS;
	s = bpf_map_lookup_elem(&secrets, ret_index);
	if (!s || s->is_taken)
		return NULL;
	s->is_taken = 1;
	return s;
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
	else
		hand_over(s, index, registers, cookie, kind, false);
	return 0;
}
