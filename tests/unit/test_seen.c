/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/seen against a model that keeps one flag per byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/seen.h"

#define BYTES 600

static void check_invariants(const struct seen *s)
{
	uint32_t last = seen_floor(s);

	assert_true(s->gap_count <= SEEN_GAPS_MAX);
	for (unsigned i = 0; i < s->gap_count; i++) {
		assert_true(seq_before(s->gap[i].from, s->gap[i].to));
		assert_true(i == 0 || seq_before(last, s->gap[i].from));
		assert_false(seq_before(s->gap[i].from, s->acked));
		last = s->gap[i].to;
	}
	assert_false(s->gap_count && seq_before(s->next, last));
}

/*
 * Every byte is new once or lost once, in any order of segments; only bytes of the added range are
 * new.
 */
static void test_model(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 3000; round++) {
		uint32_t base = round % 3 ? (uint32_t)rand() : (uint32_t)-300;
		char model[BYTES] = {0}; /* 0 nothing, 1 seen */
		uint32_t lost = 0;
		uint32_t seen_bytes = 0;
		struct seen s = {0};

		seen_start(&s, base);
		for (int step = 0; step < 60; step++) {
			uint32_t from = (uint32_t)(rand() % BYTES);
			uint32_t to = from + (uint32_t)(rand() % 40);
			struct seen_result res;

			if (to > BYTES)
				to = BYTES;
			if (rand() % 12 == 0) {
				bool is_missing = seen_is_missing(&s, base + from / 2);
				bool is_fin = s.next + 1 == base + from / 2;
				uint32_t lost_now = seen_ack(&s, base + from / 2);

				assert_true(is_missing == (lost_now > 0) || (is_missing && is_fin));
				lost += lost_now;
			} else if (rand() % 20 == 0) {
				lost += seen_skip(&s, base + from);
			} else {
				struct seq_range r = {base + from, base + to};

				bool has_new = from < to && seen_has_new(&s, r);

				assert_true(seen_fits(&s, r));
				seen_add(&s, r, &res);
				assert_int_equal(has_new, res.new_count > 0);
				lost += res.lost_bytes;
				for (size_t i = 0; i < res.new_count; i++) {
					uint32_t a = res.new[i].from - base;
					uint32_t b = res.new[i].to - base;

					assert_true(from <= a && a < b && b <= to);
					for (; a < b; a++) {
						assert_int_equal(model[a], 0);
						model[a] = 1;
						seen_bytes++;
					}
				}
			}
			check_invariants(&s);
		}
		for (unsigned i = 0; i < s.gap_count; i++)
			lost += s.gap[i].to - s.gap[i].from;
		assert_int_equal(s.first, base);
		assert_int_equal(seen_bytes + lost, s.next - base);
	}
}

/* A window below and above the lowest gap fits: one in two of all sequence numbers. */
static void test_fits(void **state)
{
	static const struct {
		uint32_t from, to; /* relative to the lowest gap */
		bool want;
	} rows[] = {
		{0, 0, true},
		{0, SEEN_WINDOW_MAX, true},
		{1, SEEN_WINDOW_MAX + 1, false},
		{SEEN_WINDOW_MAX, SEEN_WINDOW_MAX, true},
		{-SEEN_WINDOW_MAX, 5, true},
		{-SEEN_WINDOW_MAX - 1, 5, false},
		{UINT32_MAX / 2 + 1, UINT32_MAX / 2 + 1, false},
		{UINT32_MAX / 2 - 5, UINT32_MAX / 2 + 5, false},
		{5, 4, false},
	};
	struct seen s = {0};
	struct seen_result res;

	(void)state;
	for (uint32_t round = 0; round < 16; round++) {
		uint32_t base = 100 + round * 0x10000001;

		seen_start(&s, base);
		seen_add(&s, (struct seq_range){base + 7, base + 20}, &res);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct seq_range r = {base + rows[i].from, base + rows[i].to};

			assert_int_equal(seen_fits(&s, r), rows[i].want);
		}
		assert_int_equal(seen_ack(&s, base + 1 + SEEN_WINDOW_MAX), 0);
		assert_int_equal(seen_floor(&s), base);
	}
}

/* An acknowledgement of one byte more counts as a FIN until data shows otherwise. */
static void test_ack_of_fin(void **state)
{
	struct seen s = {0};
	struct seen_result res;

	(void)state;
	seen_start(&s, 100);
	assert_int_equal(seen_ack(&s, 101), 0);
	assert_int_equal(s.next, 100);
	seen_add(&s, (struct seq_range){103, 105}, &res);
	assert_int_equal(res.lost_bytes, 1);
	assert_int_equal(s.gap_count, 1);
	assert_int_equal(s.gap[0].from, 101);
	assert_int_equal(seen_ack(&s, 104), 2);
	assert_int_equal(seen_floor(&s), 105);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_ack_of_fin),
	};

	return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
