/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading sealed records, with a model of the BPF programs (bpf/ring.bpf.h) in a file in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/mapped.h"

#define RING_BYTES (256u << 10)
#define SEAL	   0x8123456789abcdefull

struct world {
	struct sl_shared shared;
	struct mapped mapped;
	char *memory;
};

static int set_up(void **state)
{
	static struct world w;
	size_t bytes = RING_BYTES + SL_RECORD_MAX;
	int fd = memfd_create("records", 0);

	w = (struct world){0};
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	w.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(w.memory != MAP_FAILED);
	assert_int_equal(mapped_open_sealed(&w.mapped, fd, RING_BYTES, &w.shared, SEAL), 0);
	assert_int_equal(close(fd), 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	mapped_close(&w->mapped);
	return munmap(w->memory, RING_BYTES + SL_RECORD_MAX);
}

/* The word of a record of so many bytes, not sealed yet; NULL: the ring is full. */
static uint64_t *reserve(struct world *w, uint32_t bytes)
{
	uint64_t at = w->shared.produced;
	uint32_t whole = bytes + 8;
	uint64_t *word = (uint64_t *)(w->memory + (at & (RING_BYTES - 1)));

	if (at + whole - w->shared.consumed > RING_BYTES)
		return NULL;
	w->shared.produced += whole;
	*word = SL_RECORD(at, whole);
	return word;
}

static void submit(uint64_t *word, uint8_t fill)
{
	memset(word + 1, fill, SL_RECORD_SIZE(*word) - 8);
	*word ^= SEAL;
}

/* The byte of which the next record consists; -1: none. */
static int next(struct world *w, uint32_t want_len)
{
	uint32_t len;
	const uint8_t *record = mapped_next(&w->mapped, &len);

	if (!record)
		return -1;
	assert_int_equal(len, want_len);
	for (uint32_t i = 1; i < len; i++)
		assert_int_equal(record[i], record[0]);
	return record[0];
}

static void test_in_order(void **state)
{
	struct world *w = *state;
	uint64_t *first = reserve(w, 80);
	uint64_t *second = reserve(w, 2048);

	assert_int_equal(next(w, 0), -1); /* not sealed */
	submit(second, 2);
	assert_int_equal(next(w, 0), -1); /* the first record is not sealed */
	submit(first, 1);
	assert_int_equal(next(w, 80), 1);
	assert_int_equal(next(w, 2048), 2);
	assert_int_equal(next(w, 0), -1);
	assert_int_equal(w->shared.consumed, 0);
	mapped_release(&w->mapped);
	assert_int_equal(w->shared.consumed, w->shared.produced);
}

static void test_discarded(void **state)
{
	struct world *w = *state;
	uint64_t *first = reserve(w, 256);

	submit(reserve(w, 24), 7);
	*first = (*first | SL_RECORD_DISCARDED) ^ SEAL;
	assert_int_equal(next(w, 24), 7);
	assert_int_equal(next(w, 0), -1);
}

/* A sealed record of the previous lap is not read again; neither are payload bytes that look like a
 * seal. */
static void test_bytes_of_older_records(void **state)
{
	struct world *w = *state;
	uint64_t guess;

	for (unsigned n = 0; n < RING_BYTES / 256; n++) {
		submit(reserve(w, 248), (uint8_t)n);
		assert_int_equal(next(w, 248), (uint8_t)n);
		mapped_release(&w->mapped);
	}
	assert_int_equal(w->shared.produced, RING_BYTES);
	assert_int_equal(next(w, 0), -1);
	for (int i = 0; i < 2; i++) {
		guess = SL_RECORD(w->shared.produced, 256) ^ (i ? SEAL + 0x10000 : 0);
		memcpy(w->memory, &guess, sizeof(guess));
		assert_int_equal(next(w, 0), -1);
	}
	submit(reserve(w, 248), 9);
	assert_int_equal(next(w, 248), 9);
}

static void test_beyond_the_end(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	for (uint64_t bytes = 0; bytes < 20ull * RING_BYTES; bytes += 2048 + 8) {
		submit(reserve(w, 2048), (uint8_t)++n);
		assert_int_equal(next(w, 2048), (uint8_t)n);
		mapped_release(&w->mapped);
	}
}

static void test_full(void **state)
{
	struct world *w = *state;
	unsigned n = 0;
	uint64_t *word;

	while ((word = reserve(w, 1024)))
		submit(word, (uint8_t)n++);
	assert_int_equal(n, RING_BYTES / (1024 + 8));
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(next(w, 1024), (uint8_t)i);
	assert_null(reserve(w, 1024)); /* read, not released */
	mapped_release(&w->mapped);
	assert_non_null(reserve(w, 1024));
}

static void test_rewind(void **state)
{
	struct world *w = *state;
	uint64_t *word;

	submit(reserve(w, 24), 1);
	assert_int_equal(next(w, 24), 1);
	mapped_release(&w->mapped);
	mapped_rewind(&w->mapped);
	assert_int_equal(w->shared.produced, 32); /* not worth it */

	while (w->shared.produced < MAPPED_REWIND_BYTES) {
		submit(reserve(w, 1024), 2);
		assert_int_equal(next(w, 1024), 2);
	}
	mapped_release(&w->mapped);
	word = reserve(w, 24);
	mapped_rewind(&w->mapped);
	assert_int_not_equal(w->shared.produced, RING_BYTES); /* a producer has written */
	submit(word, 3);
	assert_int_equal(next(w, 24), 3);
	mapped_rewind(&w->mapped);
	assert_int_equal(w->shared.produced, RING_BYTES);
	assert_int_equal(w->shared.consumed, RING_BYTES);
	assert_int_equal(next(w, 0), -1);
	word = reserve(w, 24);
	assert_ptr_equal(word, w->memory);
	submit(word, 4);
	assert_int_equal(next(w, 24), 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),	   TEST(test_discarded), TEST(test_bytes_of_older_records),
		TEST(test_beyond_the_end), TEST(test_full),	 TEST(test_rewind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
