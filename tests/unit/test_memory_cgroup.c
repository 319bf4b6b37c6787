/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory limit of our cgroup, in the layouts that nodes and containers have: files below a
 * directory that stands for "/".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/text.h"
#include "pod/memory_limit.h"

#define FILES 6

static const struct row {
	const char *why;
	const char *cgroup; /* of /proc/self */
	struct {
		const char *name; /* below /sys/fs/cgroup */
		const char *text;
	} files[FILES];
	uint64_t want;
} rows[] = {
	{"version 2 in a container: our own cgroup is the top of the mount",
	 "0::/\n",
	 {{"memory.max", "134217728\n"}},
	 134217728},
	{"version 2 without a cgroup namespace: the path is the host's, the mount is not",
	 "0::/kubepods/pod1/c1\n",
	 {{"memory.max", "134217728\n"}},
	 134217728},
	{"version 2 on a host: the least of all levels counts",
	 "0::/a/b\n",
	 {{"a/memory.max", "1000\n"}, {"a/b/memory.max", "2000\n"}},
	 1000},
	{"version 2 on a host: one level has no limit",
	 "0::/a/b\n",
	 {{"a/memory.max", "max\n"}, {"a/b/memory.max", "2000\n"}},
	 2000},
	{"nowhere a limit", "0::/a\n", {{"a/memory.max", "max\n"}}, 0},
	{"version 1",
	 "9:cpu:/x\n4:memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}},
	 5000},
	{"version 1: the controller shares its hierarchy",
	 "4:hugetlb,memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}},
	 5000},
	{"version 1 writes a large number for no limit",
	 "4:memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "9223372036854771712\n"}},
	 0},
	{"version 2 beside version 1",
	 "4:memory:/a\n0::/b\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}, {"unified/b/memory.max", "4000\n"}},
	 4000},
	{"a controller of another name",
	 "4:memorylike:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}},
	 0},
	{"files that hold no number", "0::/a\n", {{"a/memory.max", "\n"}, {"memory.max", "x"}}, 0},
	{"lines that are none", "\n0\n0:\n::\n0::\n", {{"memory.max", "7000\n"}}, 7000},
	{"no file at all", NULL, {{NULL, NULL}}, 0},
};

static void put(const char *root, const char *path, const char *content)
{
	struct text name;
	FILE *file;

	text_init(&name);
	text_addf(&name, "%s/%s", root, path);
	for (char *slash = strchr(name.ptr + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(name.ptr, 0700); /* is there, or fopen() fails */
		*slash = '/';
	}
	file = fopen(name.ptr, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
	text_release(&name);
}

static void check(const struct row *row)
{
	char root[] = "/tmp/sidelight-limit-XXXXXX";
	struct text command;
	uint64_t got;

	assert_non_null(mkdtemp(root));
	if (row->cgroup)
		put(root, "proc/self/cgroup", row->cgroup);
	for (unsigned i = 0; i < FILES && row->files[i].name; i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s", row->files[i].name);
		put(root, path, row->files[i].text);
	}
	got = memory_limit_read(root);
	text_init(&command);
	text_addf(&command, "rm -r %s", root);
	assert_int_equal(system(command.ptr), 0);
	text_release(&command);
	if (got != row->want)
		fail_msg("%s: %llu", row->why, (unsigned long long)got);
}

static void test_layouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_layouts)};

	return cmocka_run_group_tests_name("memory_limit", tests, NULL, NULL);
}
