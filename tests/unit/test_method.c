/* SPDX-License-Identifier: Apache-2.0 */
/* Known methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "proto/method.h"

static const struct {
	const char *why;
	const char *method;
	const char *want;
} cases[] = {
	{"RFC 9110", "GET", "GET"},
	{"RFC 9110", "HEAD", "HEAD"},
	{"RFC 9110", "POST", "POST"},
	{"RFC 9110", "PUT", "PUT"},
	{"RFC 9110", "DELETE", "DELETE"},
	{"RFC 9110", "CONNECT", "CONNECT"},
	{"RFC 9110", "OPTIONS", "OPTIONS"},
	{"RFC 9110", "TRACE", "TRACE"},
	{"RFC 5789", "PATCH", "PATCH"},
	{"the conventions know QUERY", "QUERY", "QUERY"},
	{"WebDAV is a method, not a known one", "PROPFIND", "_OTHER"},
	{"four letters, WebDAV", "LOCK", "_OTHER"},
	{"six letters", "REPORT", "_OTHER"},
	{"seven letters", "PROPGET", "_OTHER"},
	{"five letters", "MERGE", "_OTHER"},
	{"methods are case-sensitive", "get", "_OTHER"},
	{"one letter off at the end", "GEX", "_OTHER"},
	{"one letter off at the end", "POSX", "_OTHER"},
	{"a prefix is not the method", "GE", "_OTHER"},
	{"nor is a longer word", "GETS", "_OTHER"},
	{"empty", "", "_OTHER"},
	{"a label value of ours is no method", "_OTHER", "_OTHER"},
};

static void test_known(void **state)
{
	static struct guard guard;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *got = method_known(guard_put(&guard, span_of(cases[i].method)));

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: %s gives %s", cases[i].why, cases[i].method, got);
		assert_ptr_equal(got, method_known(span_of(cases[i].method)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests_name("method", tests, NULL, NULL);
}
