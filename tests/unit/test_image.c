/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/image.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct {
	const char *why;
	const char *configured;
	const char *image;
	bool want;
} rows[] = {
	{"another tag is the same repository", "r.io/a/b:1", "r.io/a/b:2", true},
	{"a digest is the same repository", "r.io/a/b:1", "r.io/a/b@sha256:" A64, true},
	{"without a tag it is that repository's latest", "r.io/a/b:1", "r.io/a/b", true},
	{"a longer name is another repository", "r.io/a/b:1", "r.io/a/bc:1", false},
	{"a path below is another repository", "r.io/a/b:1", "r.io/a/b/c:1", false},
	{"a shorter path is another repository", "r.io/a/b:1", "r.io/a:1", false},
	{"another registry before the same path", "r.io/a/b", "x.io/a/b", false},
	{"a registry before all of it", "r.io/a/b", "x.io/r.io/a/b", false},
	{"another port is another registry", "r.io:5000/b", "r.io:5001/b", false},
	{"a port is not a tag", "r.io:5000/b", "r.io/b:5000", false},
	{"upper case is another registry", "r.io/b", "R.io/b", false},
	{"a dot is a dot", "r.io/b", "rxio/b", false},
	{"Docker Hub's short form", "docker.io/library/b:1", "b:2", true},
	{"... and its long forms", "b:1", "index.docker.io/library/b", true},
	{"... without library", "b:1", "docker.io/b", true},
	{"... of a team", "team/b", "docker.io/team/b:1", true},
	{"library is of one component only", "library/a/b", "a/b", false},
	{"a registry that begins like Docker Hub", "b", "docker.io.x/library/b", false},
	{"Docker Hub at a port is another registry", "b", "docker.io:80/library/b", false},
	{"localhost is a registry", "b", "localhost/b", false},
	{"a team that is called like a registry", "docker.io/r.io/b", "r.io/b", false},
	{"the digest that is configured", "b@sha256:" A64, "b@sha256:" A64, true},
	{"... whatever tag stands before it", "b:1@sha256:" A64, "b:2@sha256:" A64, true},
	{"another digest", "b@sha256:" A64, "b@sha256:" B64, false},
	{"a tag where a digest is configured", "b:1@sha256:" A64, "b:1", false},
	{"the digest of another repository", "b@sha256:" A64, "c@sha256:" A64, false},
};

static void test_repository(void **state)
{
	struct values defaults = {{[PARAM_IMAGE_CHOICE] = "repository"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Others are refused before they are compared. */
		assert_true(parameter_accepts(PARAM_IMAGE, rows[i].configured));
		assert_true(parameter_accepts(PARAM_IMAGE, rows[i].image));
		defaults.of[PARAM_IMAGE] = rows[i].configured;
		if (image_is_permitted(rows[i].image, &defaults) != rows[i].want)
			fail_msg("%s: %s, %s", rows[i].why, rows[i].configured, rows[i].image);
	}
}

static void test_any(void **state)
{
	const struct values defaults = {
		{[PARAM_IMAGE] = "r.io/a/b@sha256:" A64, [PARAM_IMAGE_CHOICE] = "any"}};

	(void)state;
	assert_true(image_is_permitted("x.io/c", &defaults));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repository),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
