/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The ring: how records reach user space, and when it is woken for them.
 *
 * ring_reserve() gives room for a record, in which nothing is yet, or NULL: the ring is full. What
 * was given is to be filled and submitted, or discarded, on every way; the next ones wait for it.
 *
 * Records live in an array that user space maps. Room is taken by moving `produced` forward, which
 * takes one atomic operation; a record is there once the word before it is sealed (event.h),
 * which takes another. The kernel's own ring does the same with a lock, in two calls, and for
 * records of constant sizes only. Kernels before 5.12 know no such operations (commit
 * 5ffa25502b5a): objects made with SL_RINGBUF send everything through the kernel's ring. Their
 * verifier sees also that no record is left on any way, which holds for the others as well.
 */
#ifndef SIDELIGHT_RING_BPF_H
#define SIDELIGHT_RING_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

/* The kernel's ring: for all records, or only to wake the reader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 12);
} ringbuf SEC(".maps");

/* Records, and behind them room for one that starts before the end. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, (2 << 20) + SL_RECORD_MAX);
} records SEC(".maps");

volatile struct sl_shared shared SEC(".data.shared");

const volatile __u64 ring_bytes; /* a power of two */
const volatile __u64 ring_mask; /* to find a position in it: ring_bytes - 8 */
const volatile __u64 ring_seal; /* by chance */

#ifdef SL_RINGBUF
#define IS_RINGBUF 1

/* The size has to be a constant. */
static __always_inline void *ring_reserve(const __u64 size)
{
	return bpf_ringbuf_reserve(&ringbuf, size, 0);
}

/*
 * Waking the reader costs more than capturing a request. Asleep, it is woken
 * by the record that finds the ring empty (flags 0); awake, only by a ring that
 * fills faster than its timer drains. How full it is, one record in eight asks, by chance: on
 * average one in at most 16 KiB. The multiplication takes chance from clocks of any step.
 */
static __always_inline __u64 wake_flags(const struct sl_header *h)
{
	if (!shared.reader_awake)
		return 0;
	if ((h->time_ns ^ h->id) * 0x9e3779b97f4a7c15ull >> 61 || shared.has_woken ||
	    bpf_ringbuf_query(&ringbuf, BPF_RB_AVAIL_DATA) <= shared.wake_bytes)
		return BPF_RB_NO_WAKEUP;
	shared.has_woken = 1;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void ring_submit(struct sl_header *rec)
{
	bpf_ringbuf_submit(rec, wake_flags(rec));
}

static __always_inline void ring_submit_urgent(struct sl_header *rec)
{
	bpf_ringbuf_submit(rec, BPF_RB_FORCE_WAKEUP);
}

/*
 * The kernel wakes a reader that has read all before a record, so one that is taken back
 * must do so too: it stands before the next.
 */
static __always_inline void ring_discard(struct sl_header *rec)
{
	bpf_ringbuf_discard(rec, shared.reader_awake ? BPF_RB_NO_WAKEUP : 0);
}

#else
#define IS_RINGBUF 0

#define NO_ROOM (~0ull)

/* Signed: `consumed` may have been read later than `at`, and be beyond it. */
static __always_inline bool has_room_at(__u64 at, __u64 whole, __u64 consumed)
{
	return (__s64)(at + whole - consumed) <= (__s64)ring_bytes;
}

/* Moves `produced` from at behind a record of so many bytes. False: somebody else has moved it. */
static __always_inline bool take_room(__u64 at, __u64 whole)
{
	return __sync_val_compare_and_swap(&shared.produced, at, at + whole) == at;
}

/* False: to be tried again. True: *ret_at is where the record will be, or NO_ROOM. */
static __always_inline bool try_room(__u64 whole, __u64 *ret_at)
{
	__u64 consumed = shared.consumed;
	__u64 at = shared.produced;

	if (has_room_at(at, whole, consumed)) {
		*ret_at = at;
		return take_room(at, whole);
	}
	*ret_at = NO_ROOM;
	/* Full, unless by a `consumed` that was old when `at` was read. */
	return shared.consumed == consumed;
}

static __always_inline bool try_room_four_times(__u64 whole, __u64 *ret_at)
{
	return try_room(whole, ret_at) || try_room(whole, ret_at) || try_room(whole, ret_at) ||
	       try_room(whole, ret_at);
}

/*
 * When it was not possible at once: sixteen others may come first. A global function: the verifier
 * takes it by itself, see scan_head(). No loop: verifiers of 6.1 let none go on by running into
 * its beginning, which is how compilers may lay it out.
 */
__noinline __u64 find_room(__u64 whole)
{
	__u64 at;

	if (try_room_four_times(whole, &at) || try_room_four_times(whole, &at) ||
	    try_room_four_times(whole, &at) || try_room_four_times(whole, &at))
		return at;
	return NO_ROOM;
}

/* At most SL_RECORD_MAX, as far as the verifier cares; what is written has to be within size. */
static __always_inline void *ring_reserve(__u64 size)
{
	__u64 whole = (sizeof(__u64) + size + 7) & ~7ull;
	const __u32 first = 0;
	void *start = bpf_map_lookup_elem(&records, &first);
	__u64 consumed = shared.consumed;
	__u64 at = shared.produced;
	__u64 *word;

	if (!start)
		return NULL;
	if (!has_room_at(at, whole, consumed) || !take_room(at, whole)) {
		at = find_room(whole);
		if (at == NO_ROOM)
			return NULL;
	}
	word = start + (at & ring_mask);
	*word = SL_RECORD(at, whole);
	return word + 1;
}

static __always_inline void wake_reader(void)
{
	const __u64 nothing = 0;

	shared.has_woken = 1;
	/* If it has no room, the reader was woken for what is in it, and did not come yet. */
	(void)bpf_ringbuf_output(&ringbuf, (void *)&nothing, sizeof(nothing), BPF_RB_FORCE_WAKEUP);
}

/*
 * A record is there. Waking the reader costs more than capturing a request: awake, it comes by its
 * timer, unless the ring fills faster.
 */
static __always_inline void seal(__u64 *word, __u64 record, bool is_urgent)
{
	/* A full barrier: a reader that goes to sleep sees the record, or we see that it sleeps. */
	__sync_lock_test_and_set(word, record ^ ring_seal);
	if (shared.has_woken)
		return;
	if (is_urgent || !shared.reader_awake ||
	    (__s32)(SL_RECORD_AT(record) - shared.consumed) > (__s32)shared.wake_bytes)
		wake_reader();
}

static __always_inline void ring_submit(struct sl_header *rec)
{
	__u64 *word = (__u64 *)rec - 1;

	seal(word, *word, false);
}

static __always_inline void ring_submit_urgent(struct sl_header *rec)
{
	__u64 *word = (__u64 *)rec - 1;

	seal(word, *word, true);
}

/* Wakes, too: a reader that was woken for what is behind it may have found this one unsealed. */
static __always_inline void ring_discard(struct sl_header *rec)
{
	__u64 *word = (__u64 *)rec - 1;

	seal(word, *word | SL_RECORD_DISCARDED, false);
}

#endif

#endif
