/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared memory from which the records of the BPF programs are read. It has one of two forms:
 *   - sealed: the array of bpf/ring.bpf.h;
 *   - ringbuf: a BPF ring buffer (kernel/bpf/ringbuf.c describes it).
 *
 * Invariants, true between any two calls:
 *   - `at` is the position of the next record; only the reader moves it;
 *   - the producer does not overwrite records from *consumed on: a record from mapped_next() is
 *     borrowed until mapped_release().
 */
#ifndef SIDELIGHT_CAPTURE_MAPPED_H
#define SIDELIGHT_CAPTURE_MAPPED_H

#include <assert.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"

struct mapped {
	const char *data;
	uint64_t mask; /* size - 1 */
	uint64_t at;
	uint64_t end; /* ringbuf: the last value read of *produced */
	uint64_t seal; /* 0: ringbuf */
	uint64_t *consumed; /* shared; written by the reader */
	uint64_t *produced; /* shared; written by the BPF programs. ringbuf: read only */
	void *pages[2]; /* mappings that mapped_close() unmaps */
	size_t page_bytes[2];
};

/* size is a power of two and a multiple of the page size. Both return 0 or negative errno. */
int mapped_open_ringbuf(struct mapped *m, int fd, size_t size);
/*
 * The array is longer than size by SL_RECORD_MAX. seal is not 0; shared is borrowed until
 * mapped_close().
 */
int mapped_open_sealed(struct mapped *m, int fd, size_t size, struct sl_shared *shared,
		       uint64_t seal);
/* Accepts all zeros, and a struct whose opening failed. */
void mapped_close(struct mapped *m);

/*
 * Maps a section of variables that the programs share: .bss, .data.shared. Returns NULL with errno
 * set.
 */
void *mapped_section(int fd, size_t bytes);
/* Accepts NULL. */
void mapped_section_close(void *section, size_t bytes);

/* Returns the record at m->at without its header word, and advances; NULL if it is not complete. */
static inline const char *mapped_next_sealed(struct mapped *m, uint32_t *ret_len,
					     bool *ret_is_discarded)
{
	const char *record = m->data + (m->at & m->mask);
	uint64_t word = __atomic_load_n((const uint64_t *)record, __ATOMIC_ACQUIRE) ^ m->seal;
	uint32_t size = SL_RECORD_SIZE(word);

	if (SL_RECORD_AT(word) != SL_RECORD_AT(SL_RECORD(m->at, 0)))
		return NULL;
	/*
	 * The seal is secret, so only our programs can have written a word with this position:
	 * stale bytes from the network would have to match 48 random bits.
	 */
	assert(size >= sizeof(word) && size <= SL_RECORD_MAX);
	*ret_is_discarded = word & SL_RECORD_DISCARDED;
	*ret_len = size - (uint32_t)sizeof(word);
	m->at += size;
	return record + sizeof(word);
}

static inline const char *mapped_next_ringbuf(struct mapped *m, uint32_t *ret_len,
					      bool *ret_is_discarded)
{
	const char *record = m->data + (m->at & m->mask);
	uint32_t len;

	if (m->at == m->end) {
		m->end = __atomic_load_n(m->produced, __ATOMIC_ACQUIRE);
		if (m->at == m->end)
			return NULL;
	}
	len = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
	if (len & BPF_RINGBUF_BUSY_BIT)
		return NULL;
	*ret_is_discarded = len & BPF_RINGBUF_DISCARD_BIT;
	*ret_len = len & ~BPF_RINGBUF_DISCARD_BIT;
	m->at += (*ret_len + BPF_RINGBUF_HDR_SZ + 7) & ~7ull;
	return record + BPF_RINGBUF_HDR_SZ;
}

/* Returns the next record; *ret_len is its length, rounded up. NULL: none yet. */
static inline const void *mapped_next(struct mapped *m, uint32_t *ret_len)
{
	bool is_discarded;
	const char *record;

	do
		record = m->seal ? mapped_next_sealed(m, ret_len, &is_discarded)
				 : mapped_next_ringbuf(m, ret_len, &is_discarded);
	while (record && is_discarded);
	return record;
}

/* Frees the records that were read: the producer may overwrite them. */
static inline void mapped_release(struct mapped *m)
{
	__atomic_store_n(m->consumed, m->at, __ATOMIC_RELEASE);
}

/* The position at which the BPF programs write next. */
static inline uint64_t mapped_produced(const struct mapped *m)
{
	return __atomic_load_n(m->produced, __ATOMIC_ACQUIRE);
}

/*
 * Rewinds an empty sealed ring to the front of its memory, so that only the part that is used
 * between two drains stays in the CPU caches. Between the move of `produced` and mapped_release(),
 * producers find less room than there is, never more.
 */
#define MAPPED_REWIND_BYTES (64u << 10)
static inline void mapped_rewind(struct mapped *m)
{
	uint64_t front = (m->at | m->mask) + 1;
	uint64_t at = m->at;

	if (!m->seal || (at & m->mask) < MAPPED_REWIND_BYTES ||
	    !__atomic_compare_exchange_n(m->produced, &at, front, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return;
	m->at = front;
	mapped_release(m);
}

/* Drops all records. */
static inline void mapped_skip(struct mapped *m)
{
	m->at = m->end = mapped_produced(m);
	mapped_release(m);
}

#endif
