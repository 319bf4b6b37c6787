/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture/pcapng: clocks of interfaces. Files are read by tests/replay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture/pcapng.h"

#define BINARY 0x80

static void test_time(void **state)
{
	static const struct {
		const char *why;
		uint64_t ticks;
		uint8_t resolution;
		int64_t offset_sec;
		uint64_t want;
	} rows[] = {
		{"microseconds", 1700000000123456, 6, 0, 1700000000123456000},
		{"nanoseconds", 1700000000123456789, 9, 0, 1700000000123456789},
		{"seconds", 1700000000, 0, 0, 1700000000000000000},
		{"picoseconds are cut", 1234567, 12, 0, 1234},
		{"the finest that a number holds", 1000000000000000000, 19, 0, 100000000},
		{"finer than any number", UINT64_MAX, 20, 0, 0},
		{"the largest exponent", UINT64_MAX, 127, 7, 7000000000},
		{"1/1024 s", 1024 * 5 + 512, BINARY | 10, 0, 5500000000},
		{"2^-32 s", (uint64_t)3 << 32 | 0x80000000, BINARY | 32, 0, 3500000000},
		{"2^-63 s", UINT64_MAX, BINARY | 63, 0, 1999999999},
		{"2^-127 s", UINT64_MAX, BINARY | 127, 0, 0},
		{"an offset", 5000000, 6, 1700000000, 1700000005000000000},
		{"an offset before 1970", 5000000, 6, -3, 2000000000},
		{"a time before 1970 is 1970", 5000000, 6, -9, 0},
		{"the least offset", 5000000, 6, INT64_MIN, 0},
		{"the largest offset is cut", 5000000, 6, INT64_MAX, 9000000000000000000},
		{"a time that no clock has is cut", UINT64_MAX, 0, 0, 9000000000000000000},
		{"both", UINT64_MAX, 0, INT64_MAX, 9000000000000000000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got =
			pcapng_time_ns(rows[i].ticks, rows[i].resolution, rows[i].offset_sec);

		if (got != rows[i].want)
			fail_msg("%s: %llu, not %llu", rows[i].why, (unsigned long long)got,
				 (unsigned long long)rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
