/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The cursor: where the next program continues in a segment after a tail call. It is in skb->cb,
 * which the kernel sets to zero when a packet reaches the hook, and which tail calls preserve.
 *
 * sl_ingress, sl_egress, sl_http2_* and sl_proxy_* pass on the rest of the segment. sl_early and
 * sl_out_of_order parse the packet again, and pass on how many bytes of the payload are done.
 */
#ifndef SIDELIGHT_CURSOR_BPF_H
#define SIDELIGHT_CURSOR_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"

enum { CB_OFF, CB_LEN, CB_FLAGS, CB_SEQ, CB_CALLS, CB_DONE = CB_CALLS };

#define CURSOR_BEGUN 0x100 /* in CB_FLAGS, beside the flags of TCP */

static __always_inline bool has_cursor(const struct __sk_buff *skb)
{
	return skb->cb[CB_OFF];
}

/* seg->ack is not passed on: it was used when the segment came in. */
static __always_inline void save_cursor(struct __sk_buff *skb, const struct segment *seg)
{
	skb->cb[CB_OFF] = seg->off;
	skb->cb[CB_LEN] = seg->len;
	skb->cb[CB_FLAGS] = seg->tcp_flags | (seg->is_begun ? CURSOR_BEGUN : 0);
	skb->cb[CB_SEQ] = seg->seq;
	skb->cb[CB_CALLS]++;
}

/* Number of programs that have saved the cursor for this segment. */
static __always_inline __u32 cursor_calls(const struct __sk_buff *skb)
{
	return skb->cb[CB_CALLS];
}

static __always_inline void load_cursor(const struct __sk_buff *skb, struct segment *seg)
{
	seg->off = skb->cb[CB_OFF];
	seg->len = skb->cb[CB_LEN];
	seg->tcp_flags = (__u8)skb->cb[CB_FLAGS];
	seg->is_begun = skb->cb[CB_FLAGS] & CURSOR_BEGUN;
	seg->seq = skb->cb[CB_SEQ];
}

static __always_inline void save_done(struct __sk_buff *skb, __u32 done)
{
	skb->cb[CB_DONE] = done;
}

static __always_inline __u32 load_done(const struct __sk_buff *skb)
{
	return skb->cb[CB_DONE];
}

#endif
