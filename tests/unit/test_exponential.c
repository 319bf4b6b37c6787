/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential buckets: each value is in the bucket that the definition gives it, at the bounds
 * too; when buckets are merged, no count is lost or moved; memory is bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "metrics/exponential.h"

#define LOWEST	(EXPONENTIAL_ZERO_EXPONENT * EXPONENTIAL_GROUP)
#define HIGHEST (EXPONENTIAL_MAX_EXPONENT * EXPONENTIAL_GROUP - 1)

static uint64_t seed = 88172645463325252;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* From the lowest to the highest bucket, all alike. */
static double random_value(void)
{
	double share = (double)(random64() >> 11) * 0x1p-53;

	return exp2(EXPONENTIAL_ZERO_EXPONENT + .01 +
		    share * (EXPONENTIAL_MAX_EXPONENT - EXPONENTIAL_ZERO_EXPONENT - .02));
}

/* The upper bound of a bucket at scale 4, as the double that is nearest. */
static double upper_bound(int32_t bucket)
{
	return (double)exp2l((bucket + 1) / 16.0L);
}

static void test_bounds(void **state)
{
	(void)state;
	for (int32_t i = LOWEST; i < HIGHEST; i++) {
		double bound = upper_bound(i);

		/* A bound belongs to the bucket below it. */
		if (exponential_bucket(bound) != i ||
		    exponential_bucket(nextafter(bound, 0)) != i ||
		    exponential_bucket(nextafter(bound, INFINITY)) != i + 1)
			fail_msg("around %a: %d %d %d, not %d", bound,
				 exponential_bucket(nextafter(bound, 0)), exponential_bucket(bound),
				 exponential_bucket(nextafter(bound, INFINITY)), i);
	}
}

static void test_values(void **state)
{
	(void)state;
	for (int i = 0; i < 1000000; i++) {
		double value = random_value();
		int32_t want = (int32_t)ceill(log2l(value) * 16) - 1;

		if (exponential_bucket(value) != want)
			fail_msg("%a: %d, not %d", value, exponential_bucket(value), want);
	}
}

static void test_places(void **state)
{
	static const struct {
		const char *why;
		double value;
		bool is_zero;
		int32_t bucket;
	} rows[] = {
		{"nothing", 0, true, 0},
		{"a nanosecond", 1e-9, true, 0},
		{"the bound of zero", EXPONENTIAL_ZERO, true, 0},
		{"more than that", 0x1.0000000000001p-20, false, LOWEST},
		{"one", 1, false, -1},
		{"more than one", 0x1.0000000000001p0, false, 0},
		{"the maximum", EXPONENTIAL_MAX, false, HIGHEST},
		{"more than that", 1e300, false, HIGHEST},
		{"infinity", INFINITY, false, HIGHEST},
		{"less than nothing", -5, true, 0},
		{"no number", NAN, true, 0},
		{"a denormal", 5e-324, true, 0},
	};
	static uint64_t counts[EXPONENTIAL_BUCKETS];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exponential_pool pool = {.group_cap = 10};
		struct exponential x = {.pool = &pool};
		int32_t first;
		size_t count;

		/* The second time there may be a group for it. */
		exponential_add(&x, rows[i].value);
		exponential_add(&x, rows[i].value);
		count = exponential_counts(&x, counts, &first);
		if (rows[i].is_zero ? count != 0 || x.zero_count != 2
				    : count != 1 || counts[0] != 2 || first != rows[i].bucket)
			fail_msg("%s: %zu buckets from %d, zero %zu", rows[i].why, count, first,
				 (size_t)x.zero_count);
		exponential_release(&x);
		assert_int_equal(pool.groups, 0);
	}
}

/* What counts[] must be: all values at scale 4, merged. */
static void assert_merged(const struct exponential *x, const uint64_t *all)
{
	static uint64_t counts[EXPONENTIAL_BUCKETS];
	static uint64_t want[EXPONENTIAL_BUCKETS];
	int32_t first;
	size_t count = exponential_counts(x, counts, &first);

	for (size_t i = 0; i < EXPONENTIAL_BUCKETS; i++)
		want[i] = 0;
	for (int32_t i = LOWEST; i <= HIGHEST; i++)
		if (all[i - LOWEST]) {
			int32_t at = (i >> x->shift) - first;

			assert_true(at >= 0 && (size_t)at < count);
			want[at] += all[i - LOWEST];
		}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(counts[i], want[i]);
	if (count)
		assert_true(counts[0] && counts[count - 1]);
}

/* Values of so many powers of two: the scale is as low as they need, and no lower. */
static void test_merging(void **state)
{
	static const struct {
		int powers;
		int scale;
	} rows[] = {{1, 4}, {10, 4}, {11, 3}, {20, 3}, {21, 2}, {40, 2}, {41, 1}, {60, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static uint64_t all[EXPONENTIAL_BUCKETS];
		struct exponential_pool pool = {.group_cap = 1000};
		struct exponential x = {.pool = &pool};

		for (size_t b = 0; b < EXPONENTIAL_BUCKETS; b++)
			all[b] = 0;
		for (int n = 0; n < 20000; n++) {
			double value = exp2(EXPONENTIAL_ZERO_EXPONENT + n % rows[i].powers +
					    (double)(random64() >> 11) * 0x1p-53 * .9 + .05);

			exponential_add(&x, value);
			all[exponential_bucket(value) - LOWEST]++;
		}
		if (exponential_scale(&x) != rows[i].scale)
			fail_msg("%d powers of two: scale %d, not %d", rows[i].powers,
				 exponential_scale(&x), rows[i].scale);
		assert_true(x.group_count <= EXPONENTIAL_GROUPS_MAX);
		assert_int_equal(pool.halvings, EXPONENTIAL_SCALE_MAX - rows[i].scale);
		assert_merged(&x, all);
		exponential_release(&x);
		assert_int_equal(pool.groups, 0);
	}
}

/* Many histograms that share a small pool: two groups each are always allowed. */
static void test_the_pool_is_bounded(void **state)
{
	enum { HISTOGRAMS = 50 };
	static uint64_t all[HISTOGRAMS][EXPONENTIAL_BUCKETS];
	struct exponential_pool pool = {.group_cap = 60};
	struct exponential x[HISTOGRAMS] = {0};

	(void)state;
	for (int n = 0; n < 200000; n++) {
		size_t i = random64() % HISTOGRAMS;
		double value = random_value();

		x[i].pool = &pool;
		exponential_add(&x[i], value);
		all[i][exponential_bucket(value) - LOWEST]++;
		assert_true(pool.groups <= 60 + 2 * HISTOGRAMS);
	}
	assert_int_equal(pool.unplaced, 0);
	for (size_t i = 0; i < HISTOGRAMS; i++) {
		assert_int_equal(x[i].zero_count, 0);
		assert_true(exponential_scale(&x[i]) >= EXPONENTIAL_SCALE_MIN);
		assert_merged(&x[i], all[i]);
		exponential_release(&x[i]);
	}
	assert_int_equal(pool.groups, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_the_pool_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
