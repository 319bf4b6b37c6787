/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Kept open from the first call on: a process in its sandbox opens nothing in /proc. */
static int statm_fd = -1;

/* Field 2 of /proc/self/statm is resident pages (proc(5)). */
static uint64_t resident_bytes(void)
{
	char buf[128];
	unsigned long pages = 0;
	ssize_t n;

	if (statm_fd < 0)
		statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	n = pread(statm_fd, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	if (sscanf(buf, "%*u %lu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t nanoseconds(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

struct usage usage_read(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u); /* cannot fail for ourselves */
	return (struct usage){.resident_bytes = resident_bytes(),
			      .cpu_ns = nanoseconds(&u.ru_utime) + nanoseconds(&u.ru_stime)};
}
