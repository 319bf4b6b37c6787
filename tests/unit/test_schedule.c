/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export/schedule: when an exporter pushes, on a libuv loop. The exporter here is a script: a push
 * ends when the script says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "export/schedule.h"

#define INTERVAL_MS 100u

struct exporter {
	uv_loop_t loop;
	struct schedule schedule;
	struct text calls; /* names of what was called */
	bool begins; /* a push begins as soon as it is due */
	bool finishes; /* with the last push, at once */
	bool closes; /* when it is done */
};

static void log_call(struct exporter *x, const char *name)
{
	text_addf(&x->calls, "%s ", name);
}

static void on_due(void *ctx)
{
	struct exporter *x = ctx;

	log_call(x, "due");
	if (x->begins)
		schedule_begin(&x->schedule);
}

static void on_expired(void *ctx)
{
	struct exporter *x = ctx;

	log_call(x, "expired");
	if (x->schedule.state == SCHEDULE_LAST)
		schedule_finish(&x->schedule);
}

static void on_last(void *ctx)
{
	struct exporter *x = ctx;

	log_call(x, "last");
	if (x->finishes)
		schedule_finish(&x->schedule);
}

static void on_closed(void *ctx)
{
	log_call(ctx, "closed");
}

static void on_done(void *ctx)
{
	struct exporter *x = ctx;

	log_call(x, "done");
	if (x->closes)
		schedule_close(&x->schedule, on_closed);
}

static const struct schedule_ops ops = {.due = on_due, .expired = on_expired, .last = on_last};

/* What has been called since, and is called until there are so many. */
static void expect(struct exporter *x, const char *want)
{
	while (x->calls.len < strlen(want)) {
		assert_true(uv_loop_alive(&x->loop));
		(void)uv_run(&x->loop, UV_RUN_ONCE);
	}
	assert_string_equal(x->calls.ptr, want);
	text_clear(&x->calls);
}

static void set_up(struct exporter *x, uint64_t interval_ms)
{
	*x = (struct exporter){.begins = true, .finishes = true};
	assert_int_equal(uv_loop_init(&x->loop), 0);
	text_init(&x->calls);
	schedule_start(&x->schedule, &x->loop, interval_ms, &ops, x);
}

static void tear_down(struct exporter *x)
{
	if (!x->closes) {
		schedule_close(&x->schedule, on_closed);
		expect(x, "closed ");
	}
	assert_int_equal(uv_loop_close(&x->loop), 0);
	text_release(&x->calls);
}

/* Milliseconds until the timer fires, as of now. */
static uint64_t wait_of(struct exporter *x)
{
	assert_true(uv_is_active((uv_handle_t *)&x->schedule.timer));
	return uv_timer_get_due_in(&x->schedule.timer);
}

static void test_intervals(void **state)
{
	struct exporter x;

	(void)state;
	set_up(&x, INTERVAL_MS);
	assert_in_range(wait_of(&x), 0, INTERVAL_MS);
	for (int i = 0; i < 3; i++) {
		expect(&x, "due ");
		assert_int_equal(x.schedule.state, SCHEDULE_PUSHING);
		/* The interval begins with the push. */
		assert_in_range(wait_of(&x), INTERVAL_MS * 9 / 10, INTERVAL_MS * 11 / 10);
		assert_int_equal(schedule_end(&x.schedule, SCHEDULE_OK), 0);
		assert_in_range(wait_of(&x), 0, INTERVAL_MS * 11 / 10);
	}
	assert_int_equal(x.schedule.skipped, 0);
	tear_down(&x);
}

static void test_first(void **state)
{
	static const uint64_t intervals[] = {0, 1, 100, 5000, 60000, 86400000};
	bool is_late = false;

	(void)state;
	for (int run = 0; run < 20; run++) {
		for (size_t i = 0; i < sizeof(intervals) / sizeof(*intervals); i++) {
			struct exporter x;

			set_up(&x, intervals[i]);
			assert_in_range(wait_of(&x), 0, 5000);
			is_late |= wait_of(&x) > 1000;
			assert_in_range(x.schedule.interval_ms, SCHEDULE_INTERVAL_MIN_MS, 86400000);
			tear_down(&x);
		}
	}
	assert_true(is_late); /* they are spread */
}

/* Intervals that pass while a push is under way are counted, and no second push begins. */
static void test_skipped(void **state)
{
	struct exporter x;

	(void)state;
	set_up(&x, INTERVAL_MS);
	expect(&x, "due ");
	while (x.schedule.skipped < 2)
		(void)uv_run(&x.loop, UV_RUN_ONCE);
	expect(&x, "");
	(void)schedule_end(&x.schedule, SCHEDULE_OK);
	expect(&x, "due ");
	assert_int_equal(x.schedule.skipped, 2);
	tear_down(&x);
}

/* What is due may begin later: meanwhile no timer runs. */
static void test_begins_later(void **state)
{
	struct exporter x;

	(void)state;
	set_up(&x, INTERVAL_MS);
	x.begins = false;
	expect(&x, "due ");
	assert_int_equal(x.schedule.state, SCHEDULE_DUE);
	assert_false(uv_is_active((uv_handle_t *)&x.schedule.timer));
	schedule_set_interval(&x.schedule, 10 * INTERVAL_MS);
	assert_false(uv_is_active((uv_handle_t *)&x.schedule.timer));
	schedule_begin(&x.schedule);
	assert_in_range(wait_of(&x), 9 * INTERVAL_MS, 11 * INTERVAL_MS);
	expect(&x, "");
	tear_down(&x);
}

/* Who is asked to wait waits: at least as long as after any failure, and not at all elsewhere. */
static void test_defer(void **state)
{
	struct exporter x;

	(void)state;
	set_up(&x, 60000);
	assert_int_equal(schedule_defer(&x.schedule, 0), wait_of(&x));
	x.schedule.interval_ms = INTERVAL_MS;
	schedule_set_interval(&x.schedule, INTERVAL_MS);
	expect(&x, "due ");
	assert_int_equal(schedule_defer(&x.schedule, 5000), 0);
	assert_true(schedule_end(&x.schedule, SCHEDULE_FAILED) <= 1000);
	assert_int_equal(schedule_defer(&x.schedule, 40000), 40000);
	assert_int_equal(wait_of(&x), 40000);
	assert_int_equal(schedule_defer(&x.schedule, 1), 40000);
	/* It is a wait after a failure, which a new interval does not end. */
	schedule_set_interval(&x.schedule, INTERVAL_MS);
	assert_int_equal(wait_of(&x), 40000);
	schedule_stop(&x.schedule, 1000, on_done, &x);
	assert_int_equal(schedule_defer(&x.schedule, 5000), 0);
	expect(&x, "last done ");
	tear_down(&x);
}

static const struct {
	const char *why;
	uint64_t interval_ms;
	enum schedule_result result;
	uint64_t want_ms[9]; /* at most, and at least half; ends with 0 */
} failures[] = {
	{"a second, doubled up to a minute",
	 15000,
	 SCHEDULE_FAILED,
	 {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}},
	{"up to the interval, if that is longer",
	 90000,
	 SCHEDULE_FAILED,
	 {1000, 2000, 4000, 8000, 16000, 32000, 64000, 90000}},
	{"not longer than a short interval at first",
	 200,
	 SCHEDULE_FAILED,
	 {200, 400, 800, 1600, 3200, 6400, 12800, 25600}},
	{"an interval, if what was sent was rejected",
	 15000,
	 SCHEDULE_REJECTED,
	 {15000, 30000, 60000, 60000}},
	{"a long one, likewise", 90000, SCHEDULE_REJECTED, {90000, 90000}},
};

static void test_backoff(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		bool differs = false;

		for (int round = 0; round < 5; round++) {
			struct exporter x;

			set_up(&x, failures[i].interval_ms);
			for (size_t j = 0; failures[i].want_ms[j]; j++) {
				uint64_t most = failures[i].want_ms[j];
				uint64_t ms;

				schedule_begin(&x.schedule);
				ms = schedule_end(&x.schedule, failures[i].result);
				if (ms < most / 2 || ms > most)
					fail_msg("%s: %u ms after failure %zu", failures[i].why,
						 (unsigned)ms, j + 1);
				assert_int_equal(wait_of(&x), ms);
				differs |= ms != most / 2 && ms != most;
			}
			/* With a success it is over. */
			schedule_begin(&x.schedule);
			assert_int_equal(schedule_end(&x.schedule, SCHEDULE_OK), 0);
			schedule_begin(&x.schedule);
			assert_true(schedule_end(&x.schedule, failures[i].result) <=
				    failures[i].want_ms[0]);
			tear_down(&x);
		}
		assert_true(differs);
	}
}

static void test_set_interval(void **state)
{
	struct exporter x;
	uint64_t ms;

	(void)state;
	set_up(&x, 15000);
	schedule_set_interval(&x.schedule, 40000);
	assert_in_range(wait_of(&x), 36000, 44000);
	schedule_begin(&x.schedule);
	schedule_set_interval(&x.schedule, 2000);
	assert_in_range(wait_of(&x), 1800, 2200);
	/* A push that failed waits as long as it was said. */
	ms = schedule_end(&x.schedule, SCHEDULE_FAILED);
	schedule_set_interval(&x.schedule, 50);
	assert_int_equal(wait_of(&x), ms);
	schedule_begin(&x.schedule);
	assert_in_range(wait_of(&x), 90, 110);
	tear_down(&x);
}

static void test_stop_while_waiting(void **state)
{
	struct exporter x;

	(void)state;
	set_up(&x, 60000);
	x.closes = true;
	schedule_stop(&x.schedule, 60000, on_done, &x);
	assert_string_equal(x.calls.ptr, "last "); /* at once; done() comes from the loop */
	expect(&x, "last done closed ");
	tear_down(&x);
}

static void test_stop_when_due(void **state)
{
	struct exporter x;

	(void)state;
	set_up(&x, INTERVAL_MS);
	x.begins = false;
	expect(&x, "due ");
	schedule_stop(&x.schedule, 60000, on_done, &x);
	expect(&x, "last done ");
	tear_down(&x);
}

/* The push that is under way may end; its failure delays nothing. */
static void test_stop_while_pushing(void **state)
{
	static const enum schedule_result results[] = {SCHEDULE_OK, SCHEDULE_FAILED,
						       SCHEDULE_REJECTED};

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		struct exporter x;

		set_up(&x, 60000);
		schedule_begin(&x.schedule);
		schedule_stop(&x.schedule, 30000, on_done, &x);
		assert_in_range(wait_of(&x), 9000, 10000);
		expect(&x, "");
		assert_int_equal(schedule_end(&x.schedule, results[i]), 0);
		expect(&x, ""); /* not from within the end of a push */
		expect(&x, "last done ");
		assert_true(schedule_left_ms(&x.schedule) > 10000);
		tear_down(&x);
	}
}

/* A third of the time for the push under way, the rest for the last one: then it is over. */
static void test_nothing_ends(void **state)
{
	struct exporter x;
	uint64_t start;

	(void)state;
	set_up(&x, 60000);
	x.finishes = false;
	schedule_begin(&x.schedule);
	schedule_stop(&x.schedule, 150, on_done, &x);
	start = uv_now(&x.loop);
	expect(&x, "expired last ");
	assert_true(uv_now(&x.loop) - start >= 50);
	expect(&x, "expired done ");
	assert_true(uv_now(&x.loop) - start >= 150);
	assert_int_equal(schedule_left_ms(&x.schedule), 0);
	tear_down(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),     cmocka_unit_test(test_first),
		cmocka_unit_test(test_skipped),	      cmocka_unit_test(test_begins_later),
		cmocka_unit_test(test_defer),	      cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_set_interval),  cmocka_unit_test(test_stop_while_waiting),
		cmocka_unit_test(test_stop_when_due), cmocka_unit_test(test_stop_while_pushing),
		cmocka_unit_test(test_nothing_ends),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
