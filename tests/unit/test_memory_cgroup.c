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
#include "pod/memory_cgroup.h"

#define FILES 6

/* Lines of mountinfo: the hierarchy's root that is mounted, and where. */
#define MOUNT_2(root, point)                                                                       \
	"31 24 0:27 " root " " point " rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
#define MOUNT_1(point, controllers)                                                                \
	"32 24 0:28 / " point " rw,nosuid shared:10 - cgroup cgroup rw," controllers "\n"
#define TOP    "/sys/fs/cgroup"
#define MEMORY MOUNT_1(TOP "/memory", "memory")

static const struct row {
	const char *why;
	const char *mounts; /* /proc/self/mountinfo */
	const char *cgroup; /* of /proc/self */
	struct {
		const char *name; /* below /sys/fs/cgroup */
		const char *text;
	} files[FILES];
	uint64_t want;
} rows[] = {
	{"version 2 in a container: our own cgroup is the top of the mount",
	 MOUNT_2("/", TOP),
	 "0::/\n",
	 {{"memory.max", "134217728\n"}},
	 134217728},
	{"version 2 without a cgroup namespace: the path is the host's, the mount is not",
	 MOUNT_2("/kubepods/pod1/c1", TOP),
	 "0::/kubepods/pod1/c1\n",
	 {{"memory.max", "134217728\n"}},
	 134217728},
	{"version 2 on a host: the least of all levels counts",
	 MOUNT_2("/", TOP),
	 "0::/a/b\n",
	 {{"a/memory.max", "1000\n"}, {"a/b/memory.max", "2000\n"}},
	 1000},
	{"version 2 on a host: one level has no limit",
	 MOUNT_2("/", TOP),
	 "0::/a/b\n",
	 {{"a/memory.max", "max\n"}, {"a/b/memory.max", "2000\n"}},
	 2000},
	{"nowhere a limit", MOUNT_2("/", TOP), "0::/a\n", {{"a/memory.max", "max\n"}}, 0},
	{"version 1",
	 MEMORY,
	 "9:cpu:/x\n4:memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}},
	 5000},
	{"version 1: the controller shares its hierarchy",
	 MOUNT_1(TOP "/memory", "hugetlb,memory"),
	 "4:hugetlb,memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}},
	 5000},
	{"version 1 writes a large number for no limit",
	 MEMORY,
	 "4:memory:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "9223372036854771712\n"}},
	 0},
	{"version 2 beside version 1",
	 MEMORY MOUNT_2("/", TOP "/unified"),
	 "4:memory:/a\n0::/b\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}, {"unified/b/memory.max", "4000\n"}},
	 4000},
	{"a controller of another name",
	 MOUNT_1(TOP "/memory", "memorylike"),
	 "4:memorylike:/a\n",
	 {{"memory/a/memory.limit_in_bytes", "5000\n"}},
	 0},
	{"files that hold no number",
	 MOUNT_2("/", TOP),
	 "0::/a\n",
	 {{"a/memory.max", "\n"}, {"memory.max", "x"}},
	 0},
	{"lines that are none",
	 "\n1\n - \n - cgroup2\n1 2 3 4 5 -\n" MOUNT_2("/", TOP),
	 "\n0\n0:\n::\n0::\n",
	 {{"memory.max", "7000\n"}},
	 7000},
	{"version 1 is mounted under another name than its controller",
	 MOUNT_1(TOP "/cpu,memory", "cpu,memory"),
	 "4:cpu,memory:/a\n",
	 {{"cpu,memory/a/memory.limit_in_bytes", "5000\n"}},
	 5000},
	{"version 2 is mounted elsewhere, with a blank in the name",
	 MOUNT_2("/", TOP "/my\\040own"),
	 "0::/a\n",
	 {{"my own/a/memory.max", "5000\n"}},
	 5000},
	{"the first mount shows another part of the hierarchy",
	 MOUNT_2("/other", TOP "/other") MOUNT_2("/", TOP "/all"),
	 "0::/a\n",
	 {{"other/memory.max", "4000\n"}, {"all/a/memory.max", "5000\n"}},
	 5000},
	{"the root of the mount is outside of our view",
	 MOUNT_2("/..", TOP),
	 "0::/\n",
	 {{"memory.max", "5000\n"}},
	 5000},
	{"not mounted", "\n", "0::/a\n", {{"a/memory.max", "5000\n"}}, 0},
	{"no file at all", NULL, NULL, {{NULL, NULL}}, 0},
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
	if (row->mounts)
		put(root, "proc/self/mountinfo", row->mounts);
	for (unsigned i = 0; i < FILES && row->files[i].name; i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s", row->files[i].name);
		put(root, path, row->files[i].text);
	}
	got = memory_cgroup_limit(root);
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

	return cmocka_run_group_tests_name("memory_cgroup", tests, NULL, NULL);
}
