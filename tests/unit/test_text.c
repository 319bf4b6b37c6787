/* SPDX-License-Identifier: Apache-2.0 */
/* The two exposition formats, byte by byte, and the string that they are written to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "metrics/text.h"

static const char *const reason[] = {"reason"};
static const char *const route[] = {"container", "route"};
static const double bounds[] = {.0005, .25, 1, 2.5};

static const struct family_desc lost_desc = {
	"x_lost_total", "What was \"lost\",\nby \\ reason.",
	METRIC_COUNTER, false,
	reason,		1,
	NULL,		0,
};
static const struct family_desc cpu_desc = {
	"x_cpu_seconds_total", "CPU.", METRIC_COUNTER, false, NULL, 0, NULL, 0};
static const struct family_desc memory_desc = {
	"x_memory_bytes", "Memory.", METRIC_GAUGE, false, NULL, 0, NULL, 0};
static const struct family_desc time_desc = {
	"x_duration_seconds", "Time.", METRIC_HISTOGRAM, false, route, 2, bounds, 4,
};
static const struct family_desc never_desc = {
	"x_never_total", "Nobody asked.", METRIC_COUNTER, false, reason, 1, NULL, 0,
};

static const struct label constants[] = {
	{"namespace", "shop"}, {"pod", ""}, {"container", "constant"}, {"node", "n\"1\"\\\n"}};

static struct registry *make_registry(void)
{
	struct registry *r = registry_new(100);
	struct family *lost = registry_family(r, &lost_desc);
	struct family *cpu = registry_family(r, &cpu_desc);
	struct family *memory = registry_family(r, &memory_desc);
	struct family *time = registry_family(r, &time_desc);
	struct series *s;

	assert_non_null(registry_family(r, &never_desc));
	series_add(family_series(lost, (const char *[]){"ring full"}), 3);
	series_add(family_series(cpu, NULL), 0.1);
	series_set(family_series(memory, NULL), -1);
	s = family_series(time, (const char *[]){"app", "/"});
	series_observe(time, s, .0004);
	series_observe(time, s, .2);
	series_observe(time, s, .25);
	series_observe(time, s, 99);
	(void)family_series(time, (const char *[]){"", ""});
	return r;
}

#define COMMON "namespace=\"shop\",container=\"constant\",node=\"n\\\"1\\\"\\\\\\n\""
#define OWN    "namespace=\"shop\",node=\"n\\\"1\\\"\\\\\\n\""

static void test_prometheus(void **state)
{
	struct registry *r = make_registry();
	struct text out;

	(void)state;
	text_init(&out);
	text_encode(&out, r, TEXT_PROMETHEUS, constants, 4);
	assert_string_equal(
		out.ptr,
		"# HELP x_lost_total What was \"lost\",\\nby \\\\ reason.\n"
		"# TYPE x_lost_total counter\n"
		"x_lost_total{" COMMON ",reason=\"ring full\"} 3\n"
		"# HELP x_cpu_seconds_total CPU.\n"
		"# TYPE x_cpu_seconds_total counter\n"
		"x_cpu_seconds_total{" COMMON "} 0.1\n"
		"# HELP x_memory_bytes Memory.\n"
		"# TYPE x_memory_bytes gauge\n"
		"x_memory_bytes{" COMMON "} -1\n"
		"# HELP x_duration_seconds Time.\n"
		"# TYPE x_duration_seconds histogram\n"
		"x_duration_seconds_bucket{" OWN ",container=\"app\",route=\"/\",le=\"0.0005\"} 1\n"
		"x_duration_seconds_bucket{" OWN ",container=\"app\",route=\"/\",le=\"0.25\"} 3\n"
		"x_duration_seconds_bucket{" OWN ",container=\"app\",route=\"/\",le=\"1\"} 3\n"
		"x_duration_seconds_bucket{" OWN ",container=\"app\",route=\"/\",le=\"2.5\"} 3\n"
		"x_duration_seconds_bucket{" OWN ",container=\"app\",route=\"/\",le=\"+Inf\"} 4\n"
		"x_duration_seconds_sum{" OWN ",container=\"app\",route=\"/\"} 99.4504\n"
		"x_duration_seconds_count{" OWN ",container=\"app\",route=\"/\"} 4\n"
		"x_duration_seconds_bucket{" OWN ",le=\"0.0005\"} 0\n"
		"x_duration_seconds_bucket{" OWN ",le=\"0.25\"} 0\n"
		"x_duration_seconds_bucket{" OWN ",le=\"1\"} 0\n"
		"x_duration_seconds_bucket{" OWN ",le=\"2.5\"} 0\n"
		"x_duration_seconds_bucket{" OWN ",le=\"+Inf\"} 0\n"
		"x_duration_seconds_sum{" OWN "} 0\n"
		"x_duration_seconds_count{" OWN "} 0\n");
	text_release(&out);
	registry_free(r);
}

static void test_openmetrics(void **state)
{
	struct registry *r = make_registry();
	struct text out;

	(void)state;
	text_init(&out);
	text_encode(&out, r, TEXT_OPENMETRICS, NULL, 0);
	assert_string_equal(
		out.ptr,
		"# HELP x_lost What was \\\"lost\\\",\\nby \\\\ reason.\n"
		"# TYPE x_lost counter\n"
		"x_lost_total{reason=\"ring full\"} 3\n"
		"# HELP x_cpu_seconds CPU.\n"
		"# TYPE x_cpu_seconds counter\n"
		"# UNIT x_cpu_seconds seconds\n"
		"x_cpu_seconds_total 0.1\n"
		"# HELP x_memory_bytes Memory.\n"
		"# TYPE x_memory_bytes gauge\n"
		"# UNIT x_memory_bytes bytes\n"
		"x_memory_bytes -1\n"
		"# HELP x_duration_seconds Time.\n"
		"# TYPE x_duration_seconds histogram\n"
		"# UNIT x_duration_seconds seconds\n"
		"x_duration_seconds_bucket{container=\"app\",route=\"/\",le=\"0.0005\"} 1\n"
		"x_duration_seconds_bucket{container=\"app\",route=\"/\",le=\"0.25\"} 3\n"
		"x_duration_seconds_bucket{container=\"app\",route=\"/\",le=\"1.0\"} 3\n"
		"x_duration_seconds_bucket{container=\"app\",route=\"/\",le=\"2.5\"} 3\n"
		"x_duration_seconds_bucket{container=\"app\",route=\"/\",le=\"+Inf\"} 4\n"
		"x_duration_seconds_sum{container=\"app\",route=\"/\"} 99.4504\n"
		"x_duration_seconds_count{container=\"app\",route=\"/\"} 4\n"
		"x_duration_seconds_bucket{le=\"0.0005\"} 0\n"
		"x_duration_seconds_bucket{le=\"0.25\"} 0\n"
		"x_duration_seconds_bucket{le=\"1.0\"} 0\n"
		"x_duration_seconds_bucket{le=\"2.5\"} 0\n"
		"x_duration_seconds_bucket{le=\"+Inf\"} 0\n"
		"x_duration_seconds_sum 0\n"
		"x_duration_seconds_count 0\n"
		"# EOF\n");
	text_release(&out);
	registry_free(r);
}

static void test_doubles(void **state)
{
	static const struct {
		double value;
		const char *want;
	} rows[] = {
		{0, "0"},
		{12345678901234, "12345678901234"},
		{9007199254740992.0, "9007199254740992"},
		{1e300, "1e+300"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"},
		{.0005, "0.0005"},
		{-2.5, "-2.5"},
		{5e-324, "4.94065645841247e-324"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{__builtin_inf(), "+Inf"},
		{-__builtin_inf(), "-Inf"},
		{__builtin_nan(""), "NaN"},
	};
	struct text out;

	(void)state;
	text_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_clear(&out);
		text_add_double(&out, rows[i].value);
		assert_string_equal(out.ptr, rows[i].want);
	}
	/* Whatever is printed reads back as the same number. */
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		double value = (double)random() / ((double)random() + 1) * 1e-3;

		text_clear(&out);
		text_add_double(&out, value);
		assert_true(strtod(out.ptr, NULL) == value);
	}
	text_release(&out);
}

/* A length that no memory has is memory that is short, and no small sum. */
static void test_endless(void **state)
{
	static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2, SIZE_MAX / 2};
	struct text out;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		text_init(&out);
		text_add(&out, "ab");
		text_add_span(&out, (struct span){"x", lengths[i]});
		text_add(&out, "c");
		assert_true(out.has_failed);
		assert_string_equal(out.ptr, "ab");
		text_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prometheus),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
