/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of the classic buckets: which lists are some, and which durations are in which bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "metrics/duration.h"

#define TEN "1,2,3,4,5,6,7,8,9,10,"

static void test_lists(void **state)
{
	static const struct {
		const char *list;
		const char *want; /* part of the reason; NULL: it is a list */
		size_t count;
		uint64_t last_ns;
	} rows[] = {
		{"1", NULL, 1, 1000000000},
		{".5", NULL, 1, 500000000},
		{"5.", NULL, 1, 5000000000},
		{"0.000001,86400", NULL, 2, 86400000000000},
		{".0005,.001,.0025", NULL, 3, 2500000},
		{"0.1000000001,0.100000001", NULL, 2, 100000001},
		{TEN "11,12,13,14,15,16,17,18,19,20,21,22,23,24", NULL, 24, 24000000000},
		{TEN "11,12,13,14,15,16,17,18,19,20,21,22,23,24,25", "more than 24", 0, 0},
		{"", "empty", 0, 0},
		{",", "empty", 0, 0},
		{"1,,2", "empty", 0, 0},
		{"1,2,", "empty", 0, 0},
		{"2,1", "ascend", 0, 0},
		{"1,1", "ascend", 0, 0},
		{"1,1.0000000001", "ascend", 0, 0},
		{"0,1", "from 0.000001", 0, 0},
		{"0.0000009", "from 0.000001", 0, 0},
		{"86400.1", "from 0.000001", 0, 0},
		{"999999999999999999999", "from 0.000001", 0, 0},
		{"99999999999999999999999999999", "a number of seconds", 0, 0},
		{"-1", "a number of seconds", 0, 0},
		{"1e3", "a number of seconds", 0, 0},
		{"0x1", "a number of seconds", 0, 0},
		{"inf", "a number of seconds", 0, 0},
		{"nan", "a number of seconds", 0, 0},
		{"1 ,2", "a number of seconds", 0, 0},
		{"5ms", "a number of seconds", 0, 0},
		{"1.2.3", "a number of seconds", 0, 0},
		{".", "a number of seconds", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct duration_buckets b = {.count = 7};
		const char *why = duration_buckets_parse(&b, rows[i].list);

		if (rows[i].want) {
			if (!why || !strstr(why, rows[i].want) || b.count != 7)
				fail_msg("%s: %s", rows[i].list, why ? why : "taken");
			continue;
		}
		if (why || b.count != rows[i].count || b.bounds_ns[b.count - 1] != rows[i].last_ns)
			fail_msg("%s: %s, %zu bounds", rows[i].list, why ? why : "", b.count);
	}
}

static void assert_exact(const struct duration_buckets *b)
{
	for (size_t i = 0; i < b->count; i++) {
		assert_true(b->bounds[i] == (double)b->bounds_ns[i] / 1e9);
		assert_int_equal(duration_bucket(b, b->bounds_ns[i] - 1), i);
		assert_int_equal(duration_bucket(b, b->bounds_ns[i]), i);
		assert_int_equal(duration_bucket(b, b->bounds_ns[i] + 1), i + 1);
	}
	assert_int_equal(duration_bucket(b, 0), 0);
	assert_int_equal(duration_bucket(b, UINT64_MAX), b->count);
}

static void test_buckets(void **state)
{
	struct duration_buckets b;

	(void)state;
	assert_exact(&duration_buckets_default);
	assert_null(duration_buckets_parse(&b, ".0001,.3,7"));
	assert_exact(&b);
	/* The usual ones can be asked for, and are the same then. */
	assert_null(duration_buckets_parse(&b, ".0005,.001,.0025,.005,.01,.025,.05,.075,.1,.25,.5,"
					       ".75,1,2.5,5,7.5,10"));
	assert_memory_equal(&b, &duration_buckets_default, sizeof(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists),
					   cmocka_unit_test(test_buckets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
