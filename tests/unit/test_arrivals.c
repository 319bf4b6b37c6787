/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/arrivals: rows of times in a capture, and of the resulting times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "capture/arrivals.h"

#define MS    1000000u
#define TIMES 8

struct log {
	size_t count;
	uint64_t ms[TIMES];
	char first[TIMES]; /* first byte of each packet, which identifies it */
};

static void take(void *ctx, const struct raw_packet *p, uint64_t time_ns)
{
	struct log *log = ctx;

	assert_true(log->count < TIMES);
	assert_int_equal(p->captured.len, 1);
	log->first[log->count] = p->captured.ptr[0];
	log->ms[log->count++] = time_ns / MS;
}

static void test_times(void **state)
{
	static const struct {
		const char *why;
		uint64_t ms[TIMES]; /* 0: the end */
		uint64_t want[TIMES];
		uint64_t set_back;
		uint64_t strays;
	} rows[] = {
		{"one after the other", {9000, 9001, 9002}, {9000, 9001, 9002}, 0, 0},
		{"a pause", {9000, 19000, 19001}, {9000, 19000, 19001}, 0, 0},
		{"a pause before the end", {9000, 19000}, {9000, 19000}, 0, 0},
		{"packets are out of order",
		 {9000, 9002, 9001, 9003},
		 {9000, 9002, 9002, 9003},
		 0,
		 0},
		{"from the future", {9000, 99000, 9002, 9003}, {9000, 9002, 9002, 9003}, 0, 1},
		{"from the near future", {9000, 9300, 9002, 9003}, {9000, 9002, 9002, 9003}, 0, 1},
		{"the first from the future", {99000, 9001, 9002}, {9001, 9001, 9002}, 0, 1},
		{"the first from the near future", {9300, 9001, 9002}, {9001, 9001, 9002}, 0, 1},
		{"the last from the future", {9000, 9001, 99000}, {9000, 9001, 99000}, 0, 0},
		{"each second one from the future",
		 {9000, 99001, 9002, 99003, 9004},
		 {9000, 9002, 9002, 9004, 9004},
		 0,
		 2},
		{"from the past", {9000, 9001, 10, 9003}, {9000, 9001, 9003, 9003}, 0, 1},
		{"the clock is set back",
		 {9000, 9001, 1000, 1002, 1003},
		 {9000, 9001, 9001, 9003, 9004},
		 1,
		 0},
		{"... before the end", {9000, 9001, 1000}, {9000, 9001, 9001}, 1, 0},
		{"... twice",
		 {8999, 9000, 5000, 5001, 1000, 1001, 1002},
		 {8999, 9000, 9000, 9001, 9001, 9002, 9003},
		 2,
		 0},
		{"a pause, and packets are out of order behind it",
		 {9000, 19000, 18999, 19001},
		 {9000, 19000, 19000, 19001},
		 0,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arrivals a = {0};
		struct log log = {0};
		size_t n;

		for (n = 0; n < TIMES && rows[i].ms[n]; n++) {
			char data = (char)('a' + n);
			struct raw_packet p = {1, {&data, 1}, 1};

			arrivals_packet(&a, &p, rows[i].ms[n] * MS, take, &log);
			data = 'X'; /* the stored packet is a copy */
		}
		arrivals_flush(&a, take, &log);
		assert_int_equal(log.count, n);
		assert_memory_equal(log.first, "abcdefgh", n);
		if (memcmp(log.ms, rows[i].want, sizeof(log.ms)) != 0)
			fail_msg("%s: %llu %llu %llu %llu %llu", rows[i].why,
				 (unsigned long long)log.ms[0], (unsigned long long)log.ms[1],
				 (unsigned long long)log.ms[2], (unsigned long long)log.ms[3],
				 (unsigned long long)log.ms[4]);
		assert_int_equal(a.set_back, rows[i].set_back);
		assert_int_equal(a.strays, rows[i].strays);
		arrivals_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests_name("arrivals", tests, NULL, NULL);
}
