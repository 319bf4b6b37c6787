/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/route_doubt.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static char said[512];

static void log_doubt(struct span template, const char *why)
{
	size_t len = strlen(said);

	assert_true(strlen(why) > 0);
	(void)snprintf(said + len, sizeof(said) - len, "%.*s;", SPAN_ARG(template));
}

static void test_doubts(void **state)
{
	static const struct {
		const char *why;
		const char *templates;
		const char *want;
	} rows[] = {
		{"no templates", NULL, ""},
		{"parameters, a rest, and literal ones", "/users/{id}, /files/*,/a/b,/", ""},
		{"parameters as in Express", "/users/:id,/a/:b/c", "/users/:id;/a/:b/c;"},
		{"a colon inside of a segment is ordinary", "/v1/things:search", ""},
		{"parameters as in Flask", "/users/<id>", "/users/<id>;"},
		{"a pattern of file names", "/static/*.js", "/static/*.js;"},
		{"any depth", "/static/**", "/static/**;"},
		{"a regular expression", "/users/[0-9]+, ^/x", "/users/[0-9]+;"},
		{"the same again", "/a/{b},/a/{c}", "/a/{c};"},
		{"a literal one behind the parameter", "/a/{b},/a/new", "/a/new;"},
		{"a literal one before the parameter", "/a/new,/a/{b}", ""},
		{"behind the rest", "/a/*, /a/b/{c}", "/a/b/{c};"},
		{"the rest behind a parameter", "/a/{b},/a/*", ""},
		{"the rest behind the rest", "/a/*,/a/b/*", "/a/b/*;"},
		{"the rest does not match what it follows", "/a/*,/a", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		said[0] = '\0';
		route_doubts(rows[i].templates, log_doubt);
		if (strcmp(said, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].why, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_doubts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
