/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the broker as series: sums that begin again, and what has no row of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "capture/syscall_list.h"
#include "metrics/syscall_metrics.h"
#include "series_value.h"

struct fixture {
	struct registry *registry;
	struct syscall_metrics *metrics;
};

static const char *name(void *ctx, uint64_t number)
{
	(void)ctx;
	return number == 7 ? "app" : "db";
}

static int setup(void **state)
{
	static struct fixture f;

	f.registry = registry_new(2000);
	f.metrics = syscall_metrics_new(f.registry, name, NULL);
	*state = &f;
	return f.metrics ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	syscall_metrics_free(f->metrics);
	registry_free(f->registry);
	return 0;
}

static uint32_t call_named(const char *wanted)
{
	for (uint32_t i = 0; i < syscall_count; i++)
		if (strcmp(syscall_name(i), wanted) == 0)
			return i;
	fail();
	return 0;
}

static void begin(struct fixture *f, uint64_t beginnings, bool is_on)
{
	struct channel_message m = {
		.kind = CHANNEL_COUNTING,
		.count = is_on,
		.counting = {.beginnings = beginnings, .filter_ns = 30, .network_filter_ns = 60}};

	syscall_metrics_counting(f->metrics, &m);
}

static void test_rows(void **state)
{
	struct fixture *f = *state;
	uint32_t call = call_named("recvfrom");
	struct channel_call row = {.number = 7,
				   .call = call,
				   .count = 3,
				   .bytes = 100,
				   .time_ns = 2000000000,
				   .blocked_ns = 1000000000,
				   .errors = 1,
				   .bucket = {[0] = 1, [CHANNEL_CALL_BOUNDS] = 2}};
	struct channel_call_error error = {7, 1, call, 11};

	begin(f, 1, true);
	syscall_metrics_calls(f->metrics, &row, 1);
	syscall_metrics_errors(f->metrics, &error, 1);
	row.count += 2; /* a sum: five calls in all */
	row.bucket[5] = 2;
	row.bytes = 150;
	row.time_ns += 500000000;
	row.errors = error.count = 4;
	syscall_metrics_calls(f->metrics, &row, 1);
	syscall_metrics_errors(f->metrics, &error, 1);
	syscall_metrics_errors(f->metrics, &error, 1); /* said twice */
#define OF "{container=\"app\",syscall=\"recvfrom\""
	assert_int_equal(
		series_value(f->registry, "sidelight_syscall_duration_seconds_count" OF "}"), 5);
	assert_float_equal(
		series_value(f->registry, "sidelight_syscall_duration_seconds_sum" OF "}"), 2.5,
		1e-9);
	assert_int_equal(series_value(f->registry, "sidelight_syscall_duration_seconds_bucket" OF
						   ",le=\"1.024e-06\"}"),
			 1);
	assert_int_equal(series_value(f->registry, "sidelight_syscall_duration_seconds_bucket" OF
						   ",le=\"+Inf\"}"),
			 5);
	assert_int_equal(series_value(f->registry, "sidelight_syscall_bytes_total" OF "}"), 150);
	assert_float_equal(
		series_value(f->registry, "sidelight_syscall_blocked_seconds_total" OF "}"), 1,
		1e-9);
	assert_int_equal(
		series_value(f->registry, "sidelight_syscall_errors_total" OF ",errno=\"EAGAIN\"}"),
		4);
	assert_int_equal(series_value(f->registry, "sidelight_syscalls_counted"), 1);
	assert_float_equal(
		series_value(f->registry, "sidelight_syscall_filter_seconds{calls=\"all\"}"), 30e-9,
		1e-12);
	/* Off, and on again: the kernel's sums begin at zero, the series go on. */
	begin(f, 1, false);
	assert_int_equal(series_value(f->registry, "sidelight_syscalls_counted"), 0);
	begin(f, 2, true);
	row.count = row.bucket[5] = 1;
	row.bucket[0] = row.bucket[CHANNEL_CALL_BOUNDS] = 0;
	error.count = 1;
	syscall_metrics_calls(f->metrics, &row, 1);
	syscall_metrics_errors(f->metrics, &error, 1);
	assert_int_equal(
		series_value(f->registry, "sidelight_syscall_duration_seconds_count" OF "}"), 6);
	assert_int_equal(
		series_value(f->registry, "sidelight_syscall_errors_total" OF ",errno=\"EAGAIN\"}"),
		5);
}

static void test_without_rows(void **state)
{
	struct fixture *f = *state;
	struct channel_call row = {
		.call = call_named("close"), .count = 9, .errors = 2, .bucket = {[3] = 9}};

	begin(f, 1, true);
	syscall_metrics_calls(f->metrics, &row, 1);
	assert_int_equal(
		series_value(f->registry,
			     "sidelight_syscall_duration_seconds_count{container=\"_OTHER\","
			     "syscall=\"close\"}"),
		9);
	assert_int_equal(series_value(f->registry,
				      "sidelight_syscall_errors_total{container=\"_OTHER\","
				      "syscall=\"close\",errno=\"_OTHER\"}"),
			 2);
}

/* What the kernel had no room for, and what it does not count. */
static void test_lost(void **state)
{
	struct fixture *f = *state;
	struct channel_message m = {.kind = CHANNEL_COUNTING,
				    .count = 1,
				    .counting = {.beginnings = 1,
						 .lost = 3,
						 .of_32bit = 4,
						 .errors_unnamed = 5,
						 .reads_lost = 6}};

	assert_false(syscall_metrics_is_counting(f->metrics));
	syscall_metrics_counting(f->metrics, &m);
	assert_true(syscall_metrics_is_counting(f->metrics));
	m.counting.lost = 4;
	syscall_metrics_counting(f->metrics, &m); /* sums */
	m.counting.beginnings = 2;
	syscall_metrics_counting(f->metrics, &m); /* which begin again */
	assert_int_equal(
		series_value(f->registry, "sidelight_syscalls_lost_total{reason=\"room\"}"), 8);
	assert_int_equal(
		series_value(f->registry, "sidelight_syscalls_lost_total{reason=\"32bit\"}"), 8);
	assert_int_equal(series_value(f->registry, "sidelight_syscall_reads_lost_total"), 12);
	assert_int_equal(series_value(f->registry,
				      "sidelight_syscall_errors_total{container=\"_OTHER\","
				      "syscall=\"_OTHER\",errno=\"_OTHER\"}"),
			 10);
	m.count = 0;
	syscall_metrics_counting(f->metrics, &m);
	assert_false(syscall_metrics_is_counting(f->metrics));
}

/* More rows than a broker has: those without a place are left out, and nothing loops for ever. */
static void test_too_many_rows(void **state)
{
	struct fixture *f = *state;
	struct channel_call row = {.count = 1, .bucket = {1}};
	struct channel_call_error error = {.count = 1, .error = 11};

	begin(f, 1, true);
	for (uint64_t i = 1; i <= 5000; i++) {
		row.number = error.number = i;
		syscall_metrics_calls(f->metrics, &row, 1);
		syscall_metrics_errors(f->metrics, &error, 1);
	}
	assert_true(registry_series_count(f->registry) < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_rows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
