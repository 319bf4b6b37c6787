/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/target.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_name(void **state)
{
	static const struct {
		const char *program;
		const char *want;
	} rows[] = {
		{"/usr/sbin/nginx", "nginx"},
		{"nginx", "nginx"},
		{"./a b/", "a b"},
		{"/", "/"},
		{"app\nfake{a=\"b\"}\xff.service", "app_fake{a=\"b\"}_.service"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct target t;

		assert_int_equal(target_create(&t, rows[i].program), 0);
		assert_string_equal(t.name, rows[i].want);
		assert_true(t.cgroup.fd >= 0);
		target_close(&t);
	}
}

/* A name longer than there is room for is cut, not an error. */
static void test_long_name(void **state)
{
	char program[4 * TARGET_NAME_MAX];
	struct target t;

	(void)state;
	memset(program, 'x', sizeof(program) - 1);
	program[sizeof(program) - 1] = '\0';
	assert_int_equal(target_create(&t, program), 0);
	assert_int_equal(strlen(t.name), TARGET_NAME_MAX - 1);
	target_close(&t);
}

static void test_pid(void **state)
{
	struct target made;
	struct target found;
	struct target by_dir;
	pid_t pid;

	(void)state;
	assert_int_equal(target_create(&made, "x"), 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	assert_int_equal(cgroup_add(&made.cgroup, pid), 0);
	assert_int_equal(target_open_pid(&found, pid), 0);
	assert_true(found.cgroup.id == made.cgroup.id);
	assert_int_equal(target_open_dir(&by_dir, made.cgroup.path), 0);
	assert_true(by_dir.cgroup.id == made.cgroup.id);
	assert_string_equal(by_dir.name, found.name);
	target_close(&by_dir);
	target_close(&found);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(target_open_pid(&found, pid), -ESRCH);
	target_close(&made);
}

/* The root of the machine is refused for a process that is in it, and taken when it is named. */
static void test_root(void **state)
{
	struct cgroup_mount mount;
	struct cgroup root;
	struct target t;
	char path[PATH_MAX];
	pid_t pid;

	(void)state;
	assert_int_equal(cgroup_path_of(0, path, sizeof(path)), 0);
	assert_int_equal(cgroup_mount_find(&mount, NULL, path), 0);
	assert_int_equal(cgroup_open(&root, mount.path), 0);
	if (root.is_root) {
		pid = fork();
		if (pid == 0)
			for (;;)
				(void)pause();
		assert_int_equal(cgroup_add(&root, pid), 0);
		assert_int_equal(target_open_pid(&t, pid), -EPERM);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_int_equal(target_open_dir(&t, mount.path), 0);
	assert_int_equal(t.cgroup.is_root, root.is_root);
	target_close(&t);
	cgroup_close(&root);
}

static void test_directories_that_are_none(void **state)
{
	struct target t;

	(void)state;
	assert_int_equal(target_open_dir(&t, "/no/such/dir"), -ENOENT);
	assert_int_equal(target_open_dir(&t, "/tmp"), -EMEDIUMTYPE);
	assert_int_equal(target_open_dir(&t, ""), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_pid),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_directories_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
