/* SPDX-License-Identifier: Apache-2.0 */
/* base/log: what strangers name does not drive a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "stderr_lines.h"

static void test_bytes(void **state)
{
	static const struct {
		const char *why;
		const char *said;
		const char *want;
	} rows[] = {
		{"letters of any script", "caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac"},
		{"escape sequences and line ends", "\x1b[31m\r\nx\x7f", "?[31m??x?"},
		{"control characters of two bytes",
		 "\xc2\x9b"
		 "31m\xc2\x85x",
		 "??31m??x"},
		{"the first character behind them", "\xc2\xa0x", "\xc2\xa0x"},
		{"half of one at the end", "x\xc2", "x\xc2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stderr_lines lines = stderr_begin();
		char want[64];
		char have[64];

		log_warn("%s", rows[i].said);
		assert_int_equal(stderr_end(&lines, have, sizeof(have)), 1);
		(void)snprintf(want, sizeof(want), ": %s\n", rows[i].want);
		if (!strstr(have, want))
			fail_msg("%s: %s", rows[i].why, have);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
