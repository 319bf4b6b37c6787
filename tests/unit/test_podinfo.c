/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/podinfo.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pairs as "key=value;", values with their bytes as they are. */
static void collect(void *ctx, const char *key, const char *value)
{
	char *all = ctx;

	(void)sprintf(all + strlen(all), "%s=%s;", key, value); /* tests are short */
}

static void test_parse(void **state)
{
	static const struct {
		const char *why;
		const char *text;
		const char *want;
		size_t bad;
	} rows[] = {
		{"as the kubelet writes it", "a=\"1\"\nb.c/d=\"x y\"", "a=1;b.c/d=x y;", 0},
		{"a last line end", "a=\"1\"\n", "a=1;", 0},
		{"nothing", "", "", 0},
		{"an empty value", "a=\"\"", "a=;", 0},
		{"quotes and backslashes", "a=\"\\\"x\\\\\"", "a=\"x\\;", 0},
		{"line ends in a value", "a=\"x\\ny\\tz\"\nb=\"2\"", "a=x\ny\tz;b=2;", 0},
		{"bytes and characters", "a=\"\\x41\\u00e9\\u20ac\\U0001f41d\"",
		 "a=A\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9d;", 0},
		{"an equals sign in the value", "a=\"b=c\"", "a=b=c;", 0},
		{"no zero in a string of ours", "a=\"x\\x00y\"", "", 1},
		{"no quotes", "a=1", "", 1},
		{"an open quote", "a=\"1\nb=\"2\"", "b=2;", 1},
		{"something behind the quote", "a=\"1\"x", "", 1},
		{"no key", "=\"1\"", "", 1},
		{"no value", "a\nb=\"2\"", "b=2;", 1},
		{"a cut escape", "a=\"\\u12\"", "", 1},
		{"an escape there is not", "a=\"\\q\"", "", 1},
		{"a backslash at the end", "a=\"\\", "", 1},
		{"a byte that is no character", "a=\"\\x80\"", "", 1},
		{"half a character of UTF-16", "a=\"\\ud83d\"", "", 1},
		{"beyond Unicode", "a=\"\\U00110000\"", "", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = strdup(rows[i].text);
		char all[256] = "";
		size_t bad = podinfo_parse(text, collect, all);

		free(text);
		if (strcmp(all, rows[i].want) != 0 || bad != rows[i].bad)
			fail_msg("%s: \"%s\", %zu bad", rows[i].why, all, bad);
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void test_volume(void **state)
{
	char dir[] = "/tmp/test_podinfo.XXXXXX";
	char cwd[4096];
	char *text;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	fd = podinfo_watch(dir);
	assert_true(fd >= 0);
	assert_null(podinfo_read(dir, "annotations"));
	assert_int_equal(errno, ENOENT);
	/* The kubelet's way: a directory of files, then the link to it by rename(2). */
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(system("mkdir ..1 && ln -s ..1 ..data_tmp && "
				"ln -s ..data/annotations annotations"),
			 0);
	write_file("..1", "annotations", "a=\"1\"");
	podinfo_seen(fd);
	assert_false(is_readable(fd));
	assert_int_equal(rename("..data_tmp", "..data"), 0);
	assert_true(is_readable(fd));
	podinfo_seen(fd);
	assert_false(is_readable(fd));
	text = podinfo_read(dir, "annotations");
	assert_string_equal(text, "a=\"1\"");
	free(text);
	(void)close(fd);
	assert_int_equal(system("rm -r ..1 ..data annotations"), 0);
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(podinfo_watch(dir), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
