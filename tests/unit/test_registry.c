/* SPDX-License-Identifier: Apache-2.0 */
/* Series are found again, kept apart, counted and capped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/registry.h"
#include "metrics/text.h"

static const char *const two_labels[] = {"a", "b"};
static const double bounds[] = {0.5, 1, 10};
static const struct family_desc counter_desc = {
	"x_total", "Help.", METRIC_COUNTER, false, two_labels, 2, NULL, 0,
};
static const struct family_desc gauges_desc = {"gs",	   "Help.", METRIC_GAUGE, false,
					       two_labels, 2,	    NULL,	  0};
static const struct family_desc gauge_desc = {"g", "Help.", METRIC_GAUGE, false, NULL, 0, NULL, 0};
static const struct family_desc histogram_desc = {
	"h_seconds", "Help.", METRIC_HISTOGRAM, false, two_labels, 1, bounds, 3,
};

static void test_same_labels_same_series(void **state)
{
	struct registry *r = registry_new(100);
	struct family *f = registry_family(r, &counter_desc);
	char a[] = "x";
	const char *first[] = {a, "y"};
	const char *second[] = {"x", "y"};
	struct series *s = family_series(f, first);

	(void)state;
	a[0] = 'z'; /* values are copied */
	assert_ptr_equal(s, family_series(f, second));
	assert_ptr_not_equal(s, family_series(f, first));
	assert_int_equal(registry_series_count(r), 2);
	registry_free(r);
}

/* Where one value ends and the next begins matters. */
static void test_values_are_not_run_together(void **state)
{
	static const char *const tuples[][2] = {
		{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"", ""}};
	struct registry *r = registry_new(100);
	struct family *f = registry_family(r, &counter_desc);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		series_add(family_series(f, tuples[i]), (double)(i + 1));
	assert_int_equal(registry_series_count(r), 5);
	for (size_t i = 0; i < 5; i++)
		assert_true(family_series(f, tuples[i])->value == (double)(i + 1));
	registry_free(r);
}

struct seen {
	size_t families;
	size_t series[4];
	double total;
	const char *last_value;
};

static void count_series(void *ctx, const struct family_desc *desc,
			 const struct series *const *series, size_t series_count)
{
	struct seen *seen = ctx;

	seen->series[seen->families++] = series_count;
	if (desc->type == METRIC_HISTOGRAM)
		return;
	for (size_t i = 0; i < series_count; i++) {
		seen->total += series[i]->value;
		if (desc->label_count)
			seen->last_value = series[i]->label_values[0];
	}
}

static void test_cap_answers_with_overflow(void **state)
{
	struct registry *r = registry_new(10);
	struct family *f = registry_family(r, &counter_desc);
	struct family *g = registry_family(r, &gauge_desc);
	struct seen seen = {0};
	char value[16];
	const char *labels[] = {value, ""};
	struct series *other;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(value, sizeof(value), "%d", i);
		series_add(family_series(f, labels), 1);
	}
	assert_int_equal(registry_overflowed(r), 990);
	assert_int_equal(registry_series_count(r), 11);
	other = family_series(f, (const char *[]){"one more", ""});
	assert_true(other->value == 990);
	/* What existed before the cap is still found, and not counted. */
	assert_true(family_series(f, (const char *[]){"3", ""})->value == 1);
	assert_int_equal(registry_overflowed(r), 991);
	/* A family without labels needs no room. */
	series_set(family_series(g, NULL), 7);
	assert_int_equal(registry_overflowed(r), 991);

	registry_each(r, count_series, &seen);
	assert_int_equal(seen.families, 2);
	assert_int_equal(seen.series[0], 11);
	assert_int_equal(seen.series[1], 1);
	assert_true(seen.total == 1000 + 7); /* nothing is missing from the sum */
	assert_string_equal(seen.last_value, "_OTHER");
	registry_free(r);
}

/* One subject with many series leaves the last quarter of the cap to others, a few for each. */
static void test_subjects_have_a_share(void **state)
{
	static const struct {
		const char *why;
		unsigned family;
		uint64_t subject;
		uint64_t asked; /* different series of the subject, the same ones in each row */
		size_t want; /* in the registry then; _OTHER of each family is one */
	} rows[] = {
		{"one subject may take three quarters", 0, 1, 200, 75 + 1},
		{"the next one gets its first series", 0, 2, 3, 79},
		{"and as many as every subject has for sure", 0, 2, 10, 80},
		{"the first one has had them", 0, 1, 200, 80},
		{"it has them in each family", 1, 1, 10, 85},
		{"the last quarter can be used up, too", 0, 3, 4, 89},
		{"", 0, 4, 4, 93},
		{"", 0, 5, 4, 97},
		{"the cap holds for all", 0, 6, 4, 100},
		{"what is there is found", 0, 6, 3, 100},
	};
	struct registry *r = registry_new(100);
	struct family *families[] = {registry_family(r, &counter_desc),
				     registry_family(r, &gauges_desc)};
	char about[16];
	char value[16];
	const char *labels[] = {value, about};
	uint64_t overflowed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(about, sizeof(about), "%u", (unsigned)rows[i].subject);
		for (uint64_t n = 0; n < rows[i].asked; n++) {
			const struct series *s;

			(void)snprintf(value, sizeof(value), "%u", (unsigned)n);
			s = family_series_about(families[rows[i].family], labels, rows[i].subject);
			overflowed += strcmp(s->label_values[0], "_OTHER") == 0;
		}
		if (registry_series_count(r) != rows[i].want)
			fail_msg("row %zu: %s: %zu", i, rows[i].why, registry_series_count(r));
	}
	assert_int_equal(registry_overflowed(r), overflowed);
	registry_free(r);
}

/* A label set that spells the overflow series is the overflow series, once. */
static void test_other_is_no_second_series(void **state)
{
	struct registry *r = registry_new(1);
	struct family *f = registry_family(r, &counter_desc);
	const char *others[] = {"_OTHER", "_OTHER"};
	struct series *s = family_series(f, others);

	(void)state;
	assert_ptr_equal(s, family_series(f, (const char *[]){"x", "y"}));
	assert_ptr_equal(s, family_series(f, others));
	assert_int_equal(registry_series_count(r), 1);
	registry_free(r);
}

static void test_address_is_stable(void **state)
{
	struct registry *r = registry_new(100000);
	struct family *f = registry_family(r, &histogram_desc);
	struct series *first[100];
	char value[16];
	const char *labels[] = {value};

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			(void)snprintf(value, sizeof(value), "%d", i);
			if (round == 0 && i < 100)
				first[i] = family_series(f, labels);
			else if (i < 100)
				assert_ptr_equal(first[i], family_series(f, labels));
			else
				series_observe(f, family_series(f, labels), 1);
		}
	}
	assert_int_equal(registry_series_count(r), 20000);
	registry_free(r);
}

static void test_buckets(void **state)
{
	static const struct {
		const char *why;
		double value;
		size_t bucket;
	} rows[] = {
		{"below the first bound", 0.1, 0},
		{"a bound belongs to its own bucket: le means less or equal", 0.5, 0},
		{"just above", 0.50001, 1},
		{"negative values are in the first", -1, 0},
		{"above all is +Inf", 10.5, 3},
		{"what is no number cannot be below anything", __builtin_nan(""), 3},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct registry *r = registry_new(10);
		struct family *f = registry_family(r, &histogram_desc);
		struct series *s = family_series(f, (const char *[]){"x"});

		series_observe(f, s, rows[i].value);
		if (s->histogram->bucket[rows[i].bucket] != 1 || s->histogram->count != 1)
			fail_msg("%s", rows[i].why);
		registry_free(r);
	}
}

static void check_kind(void *ctx, const struct family_desc *desc,
		       const struct series *const *series, size_t series_count)
{
	const enum histogram_kind *kind = ctx;
	const struct histogram *h = series[0]->histogram;

	assert_int_equal(series_count, 1);
	assert_int_equal(desc->bound_count, *kind == HISTOGRAMS_NATIVE ? 0 : 3);
	assert_int_equal(h->count, 3);
	assert_int_equal(!!h->exponential, *kind != HISTOGRAMS_CLASSIC);
	assert_int_equal(h->exponential ? h->exponential->group_count : 2, 2);
	/* What a caller counts by a bucket's number has its place in each kind. */
	assert_int_equal(h->bucket[0] + h->bucket[2] + h->bucket[3], 3);
}

static void test_kinds_of_histograms(void **state)
{
	static const char *const values[] = {"x"};

	(void)state;
	for (int i = HISTOGRAMS_CLASSIC; i <= HISTOGRAMS_BOTH; i++) {
		enum histogram_kind kind = (enum histogram_kind)i;
		struct registry *r = registry_new(100);
		struct family *f;
		struct series *s;

		registry_set_histograms(r, kind);
		f = registry_family(r, &histogram_desc);
		s = family_series(f, values);
		series_observe(f, s, .3);
		series_observe(f, s, 9);
		histogram_add(s->histogram, 3, 11);
		assert_true(s->created_ns >= registry_began_ns(r));
		assert_int_equal(!!registry_exponentials(r), kind != HISTOGRAMS_CLASSIC);
		if (registry_exponentials(r))
			assert_int_equal(registry_exponentials(r)->groups, 2);
		registry_each(r, check_kind, &kind);
		registry_free(r);
	}
}

/* Only of what counts, only in OpenMetrics, and only on request. */
static void test_created(void **state)
{
	static const char *const values[] = {"x"};
	static const struct family_desc counter = {
		.name = "a_total", .help = "A.", .type = METRIC_COUNTER};
	static const struct family_desc gauge = {.name = "b", .help = "B.", .type = METRIC_GAUGE};
	struct registry *r = registry_new(100);
	struct series *s = family_series(registry_family(r, &counter), NULL);
	struct series *h = family_series(registry_family(r, &histogram_desc), values);
	struct text text;

	(void)state;
	series_set(family_series(registry_family(r, &gauge), NULL), 1);
	s->created_ns = 1700000001002000000;
	h->created_ns = 1700000001023999999;
	for (int i = 0; i < 4; i++) {
		bool is_written = i == 3;

		registry_set_created(r, i & 1);
		text_init(&text);
		text_encode(&text, r, i & 2 ? TEXT_OPENMETRICS : TEXT_PROMETHEUS, NULL, 0);
		assert_int_equal(!!strstr(text.ptr, "a_total 0\na_created 1700000001.002\n"),
				 is_written);
		assert_int_equal(!!strstr(text.ptr, "_created{"), is_written);
		assert_int_equal(!!strstr(text.ptr, "} 1700000001.023\n"), is_written);
		assert_null(strstr(text.ptr, "b_created"));
		text_release(&text);
	}
	registry_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_labels_same_series),
		cmocka_unit_test(test_values_are_not_run_together),
		cmocka_unit_test(test_cap_answers_with_overflow),
		cmocka_unit_test(test_subjects_have_a_share),
		cmocka_unit_test(test_other_is_no_second_series),
		cmocka_unit_test(test_address_is_stable),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_kinds_of_histograms),
		cmocka_unit_test(test_created),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
