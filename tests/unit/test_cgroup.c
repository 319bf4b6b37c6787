/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/cgroup.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 10000

#define V1 "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"

static void test_mount(void **state)
{
	static const struct {
		const char *why;
		const char *mountinfo;
		const char *own;
		const char *want; /* NULL: not mounted */
	} rows[] = {
		{"pure v2", "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n", "/a",
		 "/sys/fs/cgroup"},
		{"hybrid: v1 hierarchies come first",
		 V1 "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/",
		 "/sys/fs/cgroup/unified"},
		{"v1 only", V1, "/", NULL},
		{"nothing", "", "/", NULL},
		{"a v1 mount point that is called cgroup2",
		 "32 31 0:29 / /cgroup2 rw - cgroup cgroup2 rw,cpu\n", "/", NULL},
		{"of several, the one that reaches furthest up",
		 "1 0 0:26 /a/b /low rw - cgroup2 none rw\n2 0 0:26 / /top rw - cgroup2 none rw\n"
		 "3 0 0:26 /a /middle rw - cgroup2 none rw\n",
		 "/a/b/c", "/top"},
		{"of several, only those that show us",
		 "1 0 0:26 /other /low rw - cgroup2 none rw\n"
		 "3 0 0:26 /a/b /middle rw - cgroup2 none rw\n",
		 "/a/b", "/middle"},
		{"/ab is not below /a", "1 0 0:26 /a /x rw - cgroup2 none rw\n", "/ab", NULL},
		{"blanks are escaped", "1 0 0:26 / /a\\040b rw - cgroup2 none rw\n", "/", "/a b"},
		{"a cut line is no mount", "1 0 0:26\n - cgroup2 \n", "/", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cgroup_mount m;
		int err = cgroup_mount_find(&m, *rows[i].mountinfo ? rows[i].mountinfo : "\n",
					    rows[i].own);

		if (err != (rows[i].want ? 0 : -ENODEV) ||
		    (rows[i].want && strcmp(m.path, rows[i].want) != 0))
			fail_msg("%s: %d %s", rows[i].why, err, err ? "" : m.path);
	}
}

static void test_open_refuses(void **state)
{
	struct cgroup cg;

	(void)state;
	assert_int_equal(cgroup_open(&cg, "/tmp"), -EMEDIUMTYPE);
	assert_int_equal(cgroup_open(&cg, "/proc/self/no-such-dir"), -ENOENT);
	assert_int_equal(cgroup_open(&cg, "/proc/self/stat"), -ENOTDIR);
	assert_int_equal(cgroup_open_pid(&cg, 0x7ffffff0), -ESRCH);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			(void)pause();
	assert_true(pid > 0);
	return pid;
}

static void await_empty(int events_fd)
{
	struct pollfd p = {.fd = events_fd, .events = POLLPRI};

	while (cgroup_events_read(events_fd) == 1)
		assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
}

static void test_life(void **state)
{
	struct cgroup cg;
	struct cgroup same;
	struct stat st;
	char path[PATH_MAX];
	pid_t pid;
	int fd;

	(void)state;
	assert_int_equal(cgroup_create(&cg), 0);
	assert_false(cg.is_root);
	assert_int_equal(cgroup_is_populated(&cg), 0);
	fd = cgroup_events_open(&cg);
	assert_true(fd >= 0);

	pid = sleeper();
	assert_int_equal(cgroup_add(&cg, pid), 0);
	assert_int_equal(cgroup_is_populated(&cg), 1);
	assert_int_equal(cgroup_signal(&cg, 0), 1);
	assert_int_equal(cgroup_path_of(pid, path, sizeof(path)), 0);
	assert_string_equal(strrchr(path, '/'), strrchr(cg.path, '/'));
	assert_int_equal(cgroup_open_pid(&same, pid), 0);
	assert_true(same.id == cg.id && same.id != 0);
	cgroup_close(&same);
	assert_int_equal(stat(cg.path, &st), 0); /* not removed by one who did not make it */

	assert_int_equal(cgroup_kill(&cg), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	await_empty(fd);
	(void)close(fd);
	memcpy(path, cg.path, sizeof(path));
	cgroup_close(&cg);
	assert_int_equal(stat(path, &st), -1);
	cgroup_close(&cg); /* again: nothing */
}

/* Processes in cgroups below are counted and reached as well. */
static void test_tree(void **state)
{
	struct cgroup cg;
	struct cgroup below;
	char path[PATH_MAX + 8];
	pid_t pid;

	(void)state;
	assert_int_equal(cgroup_create(&cg), 0);
	(void)snprintf(path, sizeof(path), "%s/below", cg.path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(cgroup_open(&below, path), 0);
	pid = sleeper();
	assert_int_equal(cgroup_add(&below, pid), 0);
	assert_int_equal(cgroup_is_populated(&cg), 1);
	assert_int_equal(cgroup_signal(&cg, SIGKILL), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	cgroup_close(&below);
	assert_int_equal(rmdir(path), 0);
	cgroup_close(&cg);
}

/* What a killed run leaves is removed by the next; what is in use is not. */
static void test_sweep(void **state)
{
	struct cgroup used;
	struct cgroup next;
	struct stat st;
	char left[PATH_MAX + 16];

	(void)state;
	assert_int_equal(cgroup_create(&used), 0);
	(void)snprintf(left, sizeof(left), "%s-left", used.path);
	assert_int_equal(mkdir(left, 0755), 0);
	assert_int_equal(cgroup_create(&next), 0);
	assert_int_equal(stat(left, &st), -1);
	assert_int_equal(stat(used.path, &st), 0);
	assert_true(next.id != used.id);
	cgroup_close(&next);
	cgroup_close(&used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount), cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_life),  cmocka_unit_test(test_tree),
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
