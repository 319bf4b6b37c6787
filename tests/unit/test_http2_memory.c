/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 connections whose share of memory is exhausted at every point in turn: what then cannot be
 * parsed is lost, it never becomes a failure of the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/memory.h"
#include "http2_script.h"

/* More than the connection below needs. */
#define SHARE_MAX 8192u

/* The response's header block is cut into frames, so the parser has to buffer it. */
static const char script[] = "open server\nc P | S\ns S\nc H1e :method=GET :path=/x\n"
			     "s H1c :status=200 a=b\ns D1e 5\nclose\n";

static void test_exhausted(void **state)
{
	bool has_failed = false;
	bool has_passed = false;

	(void)state;
	for (size_t share = 16; share <= SHARE_MAX; share += 16) {
		struct script s = {.memory_cap = share * MEMORY_SHARES, .has_flags = true};

		script_begin(&s, share, false);
		script_run(&s, script);
		if (s.log.len && strstr(s.log.ptr, "malformed_response"))
			fail_msg("share of %zu bytes:\n%s", share, s.log.ptr);
		has_failed |= engine_stats(s.wire.engine)->parse_failed[PARSE_FAIL_MEMORY] > 0 &&
			      wire_lost_count(s.wire.engine) > 0;
		has_passed = s.log.len && strcmp(s.log.ptr, "GET /x 200 0/5\n") == 0;
		script_finish(&s);
	}
	assert_true(has_failed);
	assert_true(has_passed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhausted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
