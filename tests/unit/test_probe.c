/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/probe.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/doctor.h"

#define RING_BYTES (2u << 20)

static const struct probe *find(const struct probe *probes, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(probes[i].name, name) == 0)
			return &probes[i];
	fail_msg("no check is called %s", name);
	return NULL;
}

/* Runs fn in a process that holds these capabilities only; gives back its lines. */
static int run_with(const cap_value_t *held, int count, int (*fn)(void), char *ret_output,
		    size_t size)
{
	int fds[2];
	int status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		cap_t caps = cap_init();

		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		/* libcap refuses an empty list. */
		if (count && (cap_set_flag(caps, CAP_PERMITTED, count, held, CAP_SET) ||
			      cap_set_flag(caps, CAP_EFFECTIVE, count, held, CAP_SET)))
			_exit(99);
		if (cap_set_proc(caps))
			_exit(99);
		status = fn();
		(void)fflush(stdout);
		_exit(status);
	}
	(void)close(fds[1]);
	while (len < size - 1 && (n = read(fds[0], ret_output + len, size - 1 - len)) > 0)
		len += (size_t)n;
	ret_output[len] = '\0';
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int require(void)
{
	return -probe_require(RING_BYTES);
}

static int doctor(void)
{
	const struct options o = {.format = FORMAT_TABLE, .ring_bytes = RING_BYTES};

	return doctor_print(stdout, &o);
}

/* `run` on an unsupported machine: one line with the first reason. */
static void test_require_says_why(void **state)
{
	static const struct {
		cap_value_t held[2];
		int count;
		const char *want;
	} rows[] = {
		{{0}, 0, "CAP_BPF is needed and missing"},
		{{CAP_BPF}, 1, "CAP_NET_ADMIN is needed and missing"},
		{{CAP_BPF, CAP_NET_ADMIN}, 2, "CAP_PERFMON is needed and missing"},
	};
	char output[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			run_with(rows[i].held, rows[i].count, require, output, sizeof(output)),
			ENOTSUP);
		assert_non_null(strstr(output, rows[i].want));
		assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1);
	}
}

/* A check that could not be tried is reported neither as yes nor as no. */
static void test_doctor_without_bpf(void **state)
{
	char output[8192];

	(void)state;
	assert_int_equal(run_with(NULL, 0, doctor, output, sizeof(output)), 1);
	assert_non_null(strstr(output, "\nCAP_BPF                  MISSING"));
	assert_non_null(strstr(output, "\nCAP_PERFMON              MISSING"));
	assert_non_null(strstr(output, "\nbpf()                    MISSING  refused"));
	assert_non_null(strstr(output, "\nring buffer              unknown"));
	assert_non_null(strstr(output, "\nthread in cgroup_skb     unknown"));
	assert_non_null(strstr(output, "cannot work here"));
}

/* On a machine that runs the other tests, all required features are there. */
static void test_all(void **state)
{
	struct probe probes[PROBE_MAX];
	size_t count = probe_all(probes, RING_BYTES);

	(void)state;
	for (size_t i = 0; i < count; i++)
		if (probes[i].is_needed && probes[i].state != PROBE_YES)
			fail_msg("%s: %s", probes[i].name, probes[i].detail);
	assert_int_equal(probe_require(RING_BYTES), 0);
	assert_int_equal(find(probes, count, "thread in cgroup_skb")->state == PROBE_YES,
			 probe_has_thread_id());
	assert_string_equal(find(probes, count, "ring buffer")->detail, "2048 KiB");
}

/* A ring that the kernel refuses is found by a check before it is created. */
static void test_ring_too_large(void **state)
{
	struct probe probes[PROBE_MAX];
	size_t count = probe_all(probes, 12345); /* not a power of two */

	(void)state;
	assert_int_equal(find(probes, count, "ring buffer")->state, PROBE_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_require_says_why),
		cmocka_unit_test(test_doctor_without_bpf),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_ring_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
