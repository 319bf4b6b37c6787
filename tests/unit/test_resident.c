/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is let go of is less, and code and constants are there all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/resident.h"

static const char constant[3 << 12] = "first page"; /* whole pages, whatever it starts at */

/* KiB of pages of files. */
static long rss_file(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kib = -1;

	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "RssFile: %ld kB", &kib) == 1)
			break;
	(void)fclose(status);
	assert_true(kib >= 0);
	return kib;
}

static void test_trim(void **state)
{
	long before;

	(void)state;
	assert_int_equal(strtol("1842", NULL, 10), 1842);
	before = rss_file();
	resident_trim();
	assert_in_range(rss_file(), 0, before - 1);
	assert_string_equal(constant, "first page");
	assert_int_equal(constant[sizeof(constant) - 1], '\0');
	assert_int_equal(strtol("1842", NULL, 10), 1842);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_trim)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
