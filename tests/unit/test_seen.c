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

	assert_true(s->hole_count <= SEEN_HOLES_MAX);
	for (unsigned i = 0; i < s->hole_count; i++) {
		assert_true(seq_before(s->hole[i].from, s->hole[i].to));
		assert_true(i == 0 || seq_before(last, s->hole[i].from));
		assert_false(seq_before(s->hole[i].from, s->acked));
		last = s->hole[i].to;
	}
	assert_false(s->hole_count && seq_before(s->next, last));
}

/*
 * Every byte is new once or lost once, whatever comes in which order; only
 * bytes of the range handed in are new.
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
				lost += seen_ack(&s, base + from / 2);
			} else if (rand() % 20 == 0) {
				lost += seen_cut(&s, base + from);
			} else {
				seen_add(&s, (struct seq_range){base + from, base + to}, &res);
				lost += res.lost_bytes;
				assert_false(res.is_outside);
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
		for (unsigned i = 0; i < s.hole_count; i++)
			lost += s.hole[i].to - s.hole[i].from;
		assert_int_equal(seen_bytes + lost, s.next - base);
	}
}

static void test_outside(void **state)
{
	struct seen s = {0};
	struct seen_result res;

	(void)state;
	seen_start(&s, 100);
	seen_add(&s, (struct seq_range){100 + SEEN_WINDOW_MAX, 101 + SEEN_WINDOW_MAX}, &res);
	assert_true(res.is_outside);
	assert_int_equal(s.next, 100);
	assert_int_equal(seen_ack(&s, 101 + SEEN_WINDOW_MAX), 0);
	assert_int_equal(s.next, 100);
}

/* An acknowledgement one beyond is that of a FIN, until data proves otherwise. */
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
	assert_int_equal(s.hole_count, 1);
	assert_int_equal(s.hole[0].from, 101);
	assert_int_equal(seen_ack(&s, 104), 2);
	assert_int_equal(seen_floor(&s), 105);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_ack_of_fin),
	};

	return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
