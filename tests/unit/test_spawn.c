/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/spawn.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define DEADLINE_MS 10000
#define SHELL(text) ((char *const *)(const char *const[]){"/bin/sh", "-c", text, NULL})

static struct cgroup cg;

/* As if no program had been spawned before, and whatever we were started with. */
static void reset_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i <= SIGRTMAX; i++)
		(void)signal(i, SIG_DFL); /* refused for those that cannot be ignored either */
}

static int set_up(void **state)
{
	(void)state;
	reset_signals();
	return cgroup_create(&cg);
}

/* No test leaves a process behind, failed or not. */
static int tear_down(void **state)
{
	struct pollfd p = {.fd = cgroup_events_open(&cg), .events = POLLPRI};

	(void)state;
	(void)cgroup_kill(&cg);
	while (cgroup_events_read(p.fd) == 1 && poll(&p, 1, DEADLINE_MS) == 1)
		continue;
	(void)close(p.fd);
	cgroup_close(&cg);
	return 0;
}

static void await_news(struct spawn *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	if (poll(&p, 1, DEADLINE_MS) != 1)
		fail_msg("still in state %d", s->state);
	(void)spawn_read(s);
}

static enum spawn_state await(struct spawn *s, enum spawn_state want)
{
	while (s->state < want)
		await_news(s);
	return s->state;
}

static void test_exit_status(void **state)
{
	static const struct {
		const char *why;
		const char *argv[4];
		int want_go;
		int want_code;
	} rows[] = {
		{"success", {"/bin/true"}, 0, 0},
		{"found in PATH", {"true"}, 0, 0},
		{"its own status", {"/bin/sh", "-c", "exit 7"}, 0, 7},
		{"killed by a signal", {"/bin/sh", "-c", "kill -KILL $$"}, 0, 137},
		{"no such program", {"/no/such/program"}, -ENOENT, 127},
		{"nor in PATH", {"no-such-program"}, -ENOENT, 127},
		{"not executable", {"/etc/passwd"}, -EACCES, 126},
		{"a directory", {"/tmp"}, -EACCES, 126},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spawn s;
		int err;

		assert_int_equal(spawn_start(&s, (char *const *)rows[i].argv, &cg), 0);
		err = spawn_go(&s);
		if (!err)
			(void)await(&s, SPAWN_ENDED);
		if (err != rows[i].want_go || s.exit_code != rows[i].want_code)
			fail_msg("%s: %d, status %d", rows[i].why, err, s.exit_code);
		spawn_close(&s);
	}
}

/* A pipe that CMD writes into as descriptor 9; reads one line of it. */
static void await_line(int fd, char *ret_line, size_t size)
{
	size_t len = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	do {
		assert_true(len + 1 < size);
		assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		assert_int_equal(read(fd, ret_line + len, 1), 1);
	} while (ret_line[len++] != '\n');
	ret_line[len - 1] = '\0';
}

static int open_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 9), 9);
	(void)close(fds[1]);
	return fds[0];
}

/* In its cgroup before its first instruction; no signal is blocked for it. */
static void test_what_it_gets(void **state)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct spawn s;
	char name[64];
	char line[PATH_MAX];
	bool has_mask = false;
	FILE *file;

	(void)state;
	assert_int_equal(spawn_start(&s, (char *const *)argv, &cg), 0);
	assert_int_equal(cgroup_path_of(s.pid, line, sizeof(line)), 0);
	assert_string_equal(strrchr(line, '/'), strrchr(cg.path, '/'));
	assert_int_equal(spawn_go(&s), 0);
	(void)snprintf(name, sizeof(name), "/proc/%d/status", (int)s.pid);
	file = fopen(name, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		has_mask |= strcmp(line, "SigBlk:\t0000000000000000\n") == 0;
	(void)fclose(file);
	assert_true(has_mask);
	assert_int_equal(kill(s.pid, SIGTERM), 0);
	(void)await(&s, SPAWN_ENDED);
	assert_int_equal(s.exit_code, 128 + SIGTERM);
	spawn_close(&s);
}

static void test_signals_are_passed_on(void **state)
{
	const int signals[] = {SIGINT,	 SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,	  SIGUSR2,
			       SIGWINCH, SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU,	  SIGCONT,
			       SIGURG,	 SIGIO,	  SIGPWR,  SIGPROF, SIGRTMIN + 3, SIGRTMAX};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct spawn s;
		char line[64];
		int fd = open_pipe();

		reset_signals();
		/* Ends by itself only after the trap has run. */
		assert_int_equal(spawn_start(&s,
					     SHELL("trap 'exit 40' $(seq 1 8) 10 12 $(seq 14 16) 18"
						   " $(seq 20 31) $(seq 34 64);"
						   "echo ready >&9; while :; do sleep 0.01; done"),
					     &cg),
				 0);
		assert_int_equal(spawn_go(&s), 0);
		await_line(fd, line, sizeof(line));
		assert_int_equal(kill(getpid(), signals[i]), 0);
		(void)await(&s, SPAWN_ENDED);
		assert_int_equal(s.exit_code, 40);
		spawn_close(&s);
		(void)close(fd);
		(void)close(9);
	}
}

/* A daemon is watched until it ends, and signals reach it. */
static void test_daemon(void **state)
{
	struct spawn s;
	char line[64];
	int fd = open_pipe();

	(void)state;
	assert_int_equal(spawn_start(&s,
				     SHELL("setsid sh -c 'echo ready >&9; exec sleep 1000' & wait"),
				     &cg),
			 0);
	assert_int_equal(spawn_go(&s), 0);
	await_line(fd, line, sizeof(line));
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	while (!s.has_sent_term)
		await_news(&s);
	assert_int_equal(s.state, SPAWN_LEFT);
	assert_int_equal(s.exit_code, 128 + SIGKILL);
	assert_int_equal(cgroup_is_populated(&cg), 1);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(await(&s, SPAWN_ENDED), SPAWN_ENDED);
	assert_int_equal(cgroup_is_populated(&cg), 0);
	assert_int_equal(s.exit_code, 128 + SIGKILL);
	spawn_close(&s);
	(void)close(fd);
	(void)close(9);
}

/* One that does not listen to SIGTERM is killed by the second. */
static void test_stubborn_daemon(void **state)
{
	struct spawn s;
	char line[64];
	int fd = open_pipe();

	(void)state;
	assert_int_equal(spawn_start(&s,
				     SHELL("setsid sh -c \"trap '' TERM INT; echo ready >&9;"
					   " while :; do sleep 1000; done\" & wait"),
				     &cg),
			 0);
	assert_int_equal(spawn_go(&s), 0);
	await_line(fd, line, sizeof(line));
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	assert_int_equal(await(&s, SPAWN_LEFT), SPAWN_LEFT);
	spawn_signal(&s, SIGTERM);
	assert_int_equal(cgroup_is_populated(&cg), 1);
	spawn_signal(&s, SIGINT);
	assert_int_equal(await(&s, SPAWN_ENDED), SPAWN_ENDED);
	spawn_close(&s);
	(void)close(fd);
	(void)close(9);
}

/* The end of --for: within its grace everything has ended, and the status is 0 if CMD ran. */
static void test_end(void **state)
{
	static const struct {
		const char *why;
		const char *script;
		bool has_left; /* CMD has ended before */
		int want_code;
	} rows[] = {
		{"it ends by SIGTERM", "echo ready >&9; exec sleep 1000", false, 0},
		{"it fails on SIGTERM", "trap 'exit 9' TERM; echo ready >&9; sleep 1000 & wait",
		 false, 0},
		{"it does not listen", "trap '' TERM; echo ready >&9; while :; do sleep 1000; done",
		 false, 0},
		{"it is stopped", "echo ready >&9; kill -STOP $$; sleep 1000", false, 0},
		{"it leaves a daemon",
		 "setsid sh -c 'echo ready >&9; exec sleep 1000' & exec sleep 1000", false, 0},
		{"its daemon does not listen",
		 "setsid sh -c \"trap '' TERM; echo ready >&9; while :; do sleep 1000; done\" & "
		 "exec sleep 1000",
		 false, 0},
		{"it has ended with a status",
		 "setsid sh -c 'echo ready >&9; exec sleep 1000' & exit 3", true, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spawn s;
		char line[64];
		int fd = open_pipe();

		reset_signals();
		assert_int_equal(spawn_start(&s, SHELL(rows[i].script), &cg), 0);
		assert_int_equal(spawn_go(&s), 0);
		await_line(fd, line, sizeof(line));
		while (rows[i].has_left && !s.has_sent_term)
			await_news(&s);
		spawn_end(&s);
		(void)await(&s, SPAWN_ENDED);
		if (cgroup_is_populated(&cg) || s.exit_code != rows[i].want_code)
			fail_msg("%s: status %d", rows[i].why, s.exit_code);
		spawn_close(&s);
		(void)close(fd);
		(void)close(9);
	}
}

/* What is left and no daemon is ended, whether it listens to SIGTERM or not. */
static void test_remainder(void **state)
{
	struct spawn s;
	char line[64];
	int fd = open_pipe();

	(void)state;
	assert_int_equal(spawn_start(&s, SHELL("sleep 1000 & exit 3"), &cg), 0);
	assert_int_equal(spawn_go(&s), 0);
	assert_int_equal(await(&s, SPAWN_ENDED), SPAWN_ENDED);
	assert_int_equal(s.exit_code, 3);
	spawn_close(&s);

	reset_signals();
	assert_int_equal(spawn_start(&s,
				     SHELL("(trap '' TERM; echo ready >&9;"
					   " while :; do sleep 1000; done) & wait"),
				     &cg),
			 0);
	assert_int_equal(spawn_go(&s), 0);
	await_line(fd, line, sizeof(line));
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	assert_int_equal(await(&s, SPAWN_ENDED), SPAWN_ENDED);
	assert_int_equal(cgroup_is_populated(&cg), 0);
	spawn_close(&s);
	(void)close(fd);
	(void)close(9);
}

/* Attaching failed: CMD never runs. */
static void test_never_let_go(void **state)
{
	char name[] = "/tmp/sidelight-XXXXXX";
	char script[64];
	struct spawn s;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(name));
	(void)snprintf(script, sizeof(script), "rmdir %s", name);
	assert_int_equal(spawn_start(&s, SHELL(script), &cg), 0);
	spawn_close(&s);
	assert_int_equal(kill(s.pid, 0), -1);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(rmdir(name), 0);
}

/* Our own death, before and after the start of CMD. */
static void test_observer_is_killed(void **state)
{
	(void)state;
	for (int has_started = 0; has_started < 2; has_started++) {
		struct pollfd p = {.fd = cgroup_events_open(&cg), .events = POLLPRI};
		int status;
		pid_t observer = fork();

		if (observer == 0) {
			struct spawn s;

			if (spawn_start(&s, SHELL("exec sleep 1000"), &cg) ||
			    (has_started && spawn_go(&s)))
				_exit(1);
			(void)kill(getpid(), SIGKILL);
		}
		assert_int_equal(waitpid(observer, &status, 0), observer);
		assert_true(WIFSIGNALED(status));
		if (has_started) {
			assert_int_equal(cgroup_is_populated(&cg), 1);
			assert_int_equal(cgroup_signal(&cg, SIGTERM), 1);
		}
		while (cgroup_events_read(p.fd) == 1)
			assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		(void)close(p.fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exit_status, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_it_gets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signals_are_passed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stubborn_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remainder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_never_let_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_observer_is_killed, set_up, tear_down),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
