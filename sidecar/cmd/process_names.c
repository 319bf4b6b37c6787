/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/process_names.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A name is read again after so long: programs change theirs. */
#define FRESH_MS 1000

#define NS_PER_SEC UINT64_C(1000000000)

/* The start of a process is known to a tick of the clock, which may be set meanwhile. */
#define TOLERANCE_NS (NS_PER_SEC / 20)

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Nanoseconds since 1970; UINT64_MAX: it has ended. */
static uint64_t started_ns(pid_t pid)
{
	uint64_t per_tick = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	struct process p = {.dir_fd = -1};
	uint64_t ticks;
	int err = process_open(&p, pid);

	if (err)
		return UINT64_MAX;
	err = process_started(&p, &ticks);
	process_close(&p);
	if (err)
		return UINT64_MAX;
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) + ticks * per_tick;
}

const char *process_name(struct process_names *n, pid_t pid, uint64_t request_ns)
{
	size_t i = (size_t)pid % PROCESS_NAMES;
	uint64_t now_ms = clock_ns(CLOCK_MONOTONIC) / 1000000;

	if (n->entry[i].pid != pid || now_ms - n->entry[i].read_ms >= FRESH_MS) {
		n->entry[i].pid = pid;
		n->entry[i].read_ms = now_ms;
		process_shown_comm(pid, n->entry[i].name);
		n->entry[i].started_ns = started_ns(pid);
	}
	if (n->entry[i].started_ns == UINT64_MAX ||
	    (request_ns && n->entry[i].started_ns > request_ns + TOLERANCE_NS))
		return "?";
	return n->entry[i].name;
}
