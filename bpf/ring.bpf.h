/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The ring that carries records to user space, and wakes the reader.
 *
 * ring_reserve() returns memory for a record, uninitialised, or NULL if the ring is full. The
 * caller must submit or discard the record on every path, because the reader waits for it.
 *
 * Records are in an array that user space maps. A producer reserves memory by moving `produced`
 * forward, with one atomic operation, and publishes the record by sealing the word before it
 * (event.h), with another. The kernel's ring buffer does the same with a lock, in two calls, and
 * for constant sizes only. Kernels before 5.12 have no such atomic operations for programs (commit
 * 5ffa25502b5a): objects compiled with SL_RINGBUF send all records through the kernel's ring
 * buffer. Their verifier also proves that every record is submitted or discarded, which then holds
 * for both kinds of objects, since they have the same source.
 */
#ifndef SIDELIGHT_RING_BPF_H
#define SIDELIGHT_RING_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

/* The kernel's ring buffer: for all records, or only to wake the reader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 12);
} ringbuf SEC(".maps");

/* The ring, followed by room for the end of a record that starts before the ring's end. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, (2 << 20) + SL_RECORD_MAX);
} records SEC(".maps");

volatile struct sl_shared shared SEC(".data.shared");

const volatile __u64 ring_bytes; /* a power of two */
const volatile __u64 ring_mask; /* ring_bytes - 8: masks a position */
const volatile __u64 ring_seal; /* a random number */

#ifdef SL_RINGBUF
#define IS_RINGBUF 1

/* The size has to be a constant. */
static __always_inline void *ring_reserve(const __u64 size)
{
	return bpf_ringbuf_reserve(&ringbuf, size, 0);
}

/*
 * Waking the reader costs more than capturing a request. A reader that sleeps is woken by the
 * record that finds the ring empty (flags 0). A reader that drains on its timer is woken only if
 * the ring fills faster. One record in eight, chosen at random, checks how full the ring is: on
 * average one in at most 16 KiB. The multiplication gives random bits for clocks of any resolution.
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
 * The kernel wakes the reader for a record if all records before it are consumed. So a discarded
 * record has to wake it as well, because the next record comes behind it.
 */
static __always_inline void ring_discard(struct sl_header *rec)
{
	bpf_ringbuf_discard(rec, shared.reader_awake ? BPF_RB_NO_WAKEUP : 0);
}

#else
#define IS_RINGBUF 0

#define NO_ROOM (~0ull)

/* A signed comparison: `consumed` may have been read later than `at`, and be larger. */
static __always_inline bool has_room_at(__u64 at, __u64 whole, __u64 consumed)
{
	return (__s64)(at + whole - consumed) <= (__s64)ring_bytes;
}

/* Moves `produced` from at behind a record. Returns false if another producer has moved it. */
static __always_inline bool take_room(__u64 at, __u64 whole)
{
	return __sync_val_compare_and_swap(&shared.produced, at, at + whole) == at;
}

/* True: *ret_at is the position of the record, or NO_ROOM. False: the caller tries again. */
static __always_inline bool try_room(__u64 whole, __u64 *ret_at)
{
	__u64 consumed = shared.consumed;
	__u64 at = shared.produced;

	if (has_room_at(at, whole, consumed)) {
		*ret_at = at;
		return take_room(at, whole);
	}
	*ret_at = NO_ROOM;
	/* The ring is full, unless `consumed` has moved since it was read. */
	return shared.consumed == consumed;
}

static __always_inline bool try_room_four_times(__u64 whole, __u64 *ret_at)
{
	return try_room(whole, ret_at) || try_room(whole, ret_at) || try_room(whole, ret_at) ||
	       try_room(whole, ret_at);
}

/*
 * Reserves memory if the first attempt failed: up to sixteen other producers may come first. A
 * global function, see README.md. Not a loop, because the verifier of 6.1 refuses a loop that is
 * continued by falling through into its beginning, as compilers may lay it out.
 */
__noinline __u64 find_room(__u64 whole)
{
	__u64 at;

	if (try_room_four_times(whole, &at) || try_room_four_times(whole, &at) ||
	    try_room_four_times(whole, &at) || try_room_four_times(whole, &at))
		return at;
	return NO_ROOM;
}

/* The verifier only checks writes against SL_RECORD_MAX: the caller has to stay within size. */
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
	/* It fails if the reader was woken before, and has not read the record of that yet. */
	(void)bpf_ringbuf_output(&ringbuf, (void *)&nothing, sizeof(nothing), BPF_RB_FORCE_WAKEUP);
}

/*
 * Publishes a record. Waking the reader costs more than capturing a request, so a reader that
 * drains on its timer is woken only if the ring fills faster.
 */
static __always_inline void seal(__u64 *word, __u64 record, bool is_urgent)
{
	/* A full barrier, which pairs with ring_sleep() and ring_drain(), see README.md. */
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

/* Wakes the reader, too: it may have been woken before, and have found this record unsealed. */
static __always_inline void ring_discard(struct sl_header *rec)
{
	__u64 *word = (__u64 *)rec - 1;

	seal(word, *word | SL_RECORD_DISCARDED, false);
}

#endif

#endif
