/* SPDX-License-Identifier: Apache-2.0 */
/* A cgroup that is removed and made again, in cgroups of this test's own. */
#include "pod/follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 5000

struct place {
	struct cgroup base; /* made for the test */
	char slice[PATH_MAX];
	char service[PATH_MAX];
};

static int setup(void **state)
{
	static struct place p;

	if (cgroup_create(&p.base))
		return -1;
	(void)snprintf(p.slice, sizeof(p.slice), "%.4000s/app.slice", p.base.path);
	(void)snprintf(p.service, sizeof(p.service), "%.4000s/web.service", p.slice);
	*state = &p;
	return mkdir(p.slice, 0755) || mkdir(p.service, 0755);
}

static int teardown(void **state)
{
	struct place *p = *state;

	(void)rmdir(p->service); /* a test may have removed either */
	(void)rmdir(p->slice);
	cgroup_close(&p->base);
	return 0;
}

static struct follow *start(const struct place *p, uint64_t *ret_id)
{
	struct follow *f;
	struct cgroup cg;

	assert_int_equal(cgroup_open(&cg, p->service), 0);
	f = follow_new(&cg);
	assert_non_null(f);
	*ret_id = cg.id;
	cgroup_close(&cg);
	return f;
}

/* Waits for the next change that is one. */
static int next_change(struct follow *f, struct cgroup *ret_cgroup)
{
	struct pollfd fd = {.fd = follow_fd(f), .events = POLLIN};
	int change = FOLLOW_SAME;

	while (change == FOLLOW_SAME) {
		assert_int_equal(poll(&fd, 1, DEADLINE_MS), 1);
		change = follow_read(f, ret_cgroup);
	}
	return change;
}

static void assert_is_new(struct follow *f, uint64_t *id)
{
	struct cgroup cg;

	assert_int_equal(next_change(f, &cg), FOLLOW_NEW);
	assert_true(cg.id != *id);
	*id = cg.id;
	cgroup_close(&cg);
}

static void test_removed_and_made_again(void **state)
{
	const struct place *p = *state;
	struct cgroup cg;
	uint64_t id;
	struct follow *f = start(p, &id);

	for (int i = 0; i < 20; i++) {
		assert_int_equal(rmdir(p->service), 0);
		assert_int_equal(next_change(f, &cg), FOLLOW_GONE);
		assert_int_equal(mkdir(p->service, 0755), 0);
		assert_is_new(f, &id);
	}
	follow_free(f);
}

/* Both happen before anybody looks: one change, and no old cgroup taken for the new one. */
static void test_replaced_at_once(void **state)
{
	const struct place *p = *state;
	uint64_t id;
	struct follow *f = start(p, &id);

	for (int i = 0; i < 20; i++) {
		assert_int_equal(rmdir(p->service), 0);
		assert_int_equal(mkdir(p->service, 0755), 0);
		assert_is_new(f, &id);
	}
	follow_free(f);
}

/* systemd removes a slice with its last service. */
static void test_with_its_parent(void **state)
{
	const struct place *p = *state;
	struct cgroup cg;
	uint64_t id;
	struct follow *f = start(p, &id);

	for (int i = 0; i < 20; i++) {
		assert_int_equal(rmdir(p->service), 0);
		assert_int_equal(rmdir(p->slice), 0);
		assert_int_equal(next_change(f, &cg), FOLLOW_GONE);
		assert_int_equal(mkdir(p->slice, 0755), 0);
		assert_int_equal(mkdir(p->service, 0755), 0);
		assert_is_new(f, &id);
	}
	follow_free(f);
}

/* What is reported of others is no change, and is taken. */
static void test_neighbours_that_come_and_go(void **state)
{
	const struct place *p = *state;
	char neighbour[PATH_MAX + 16];
	struct cgroup cg;
	uint64_t id;
	struct follow *f = start(p, &id);

	(void)snprintf(neighbour, sizeof(neighbour), "%.4000s/neighbour", p->slice);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdir(neighbour, 0755), 0);
		assert_int_equal(rmdir(neighbour), 0);
	}
	assert_int_equal(follow_read(f, &cg), FOLLOW_SAME);
	assert_int_equal(poll(&(struct pollfd){.fd = follow_fd(f), .events = POLLIN}, 1, 0), 0);
	follow_free(f);
}

static pid_t start_process(const struct cgroup *cg)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			(void)pause();
	assert_int_equal(cgroup_add(cg, pid), 0);
	return pid;
}

static void end_process(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* That of another container: the path is another mount namespace's. */
static void test_without_a_path(void **state)
{
	const struct place *p = *state;
	struct cgroup cg;
	struct cgroup again;
	struct follow *f;
	pid_t pid;

	assert_int_equal(cgroup_open(&cg, p->service), 0);
	(void)snprintf(cg.path, sizeof(cg.path), "/../elsewhere.scope");
	for (int i = 0; i < 10; i++) {
		pid = start_process(&cg);
		f = follow_new(&cg);
		assert_non_null(f);
		end_process(pid);
		assert_int_equal(next_change(f, &again), FOLLOW_GONE);
		pid = start_process(&cg);
		assert_int_equal(next_change(f, &again), FOLLOW_NEW);
		assert_true(again.id == cg.id);
		assert_string_equal(again.path, cg.path);
		cgroup_close(&again);
		end_process(pid);
		/* Within the time in which the kernel drops the notification. */
		assert_int_equal(next_change(f, &again), FOLLOW_GONE);
		follow_free(f);
	}
	pid = start_process(&cg);
	f = follow_new(&cg);
	end_process(pid);
	assert_int_equal(rmdir(p->service), 0);
	assert_int_equal(next_change(f, &again), FOLLOW_GONE);
	follow_free(f);
	cgroup_close(&cg);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_removed_and_made_again), TEST(test_replaced_at_once),
		TEST(test_with_its_parent),	   TEST(test_neighbours_that_come_and_go),
		TEST(test_without_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
