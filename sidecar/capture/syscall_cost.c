/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/syscall_cost.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 20
#define CALLS  1000 /* of a round: some 100 us, so that most rounds see no interrupt */

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* argument: a descriptor that nobody has. */
static double measure(long number, long argument)
{
	uint64_t least = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin = now_ns();
		uint64_t took;

		for (int i = 0; i < CALLS; i++)
			(void)syscall(number, argument); /* close() fails on purpose */
		took = now_ns() - begin;
		least = took < least ? took : least;
	}
	return (double)least / CALLS;
}

struct syscall_cost syscall_cost_measure(void)
{
	return (struct syscall_cost){.any_ns = measure(SYS_getppid, 0),
				     .network_ns = measure(SYS_close, -1)};
}

uint64_t syscall_cost_added(double before_ns, double now_ns)
{
	return now_ns > before_ns ? (uint64_t)(now_ns - before_ns + .5) : 0;
}
