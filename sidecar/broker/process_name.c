/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/process_name.h"

#include <time.h>
#include <unistd.h>

#include "broker/channel.h"
#include "pod/process.h"

#define NS_PER_SEC UINT64_C(1000000000)

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Of CLOCK_MONOTONIC, which stands still while the machine sleeps. */
static int started_ns(const struct process *p, uint64_t *ret_ns)
{
	uint64_t slept_ns = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
	uint64_t ticks;
	int err = process_started(p, &ticks);

	if (err)
		return err;
	*ret_ns = ticks * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	*ret_ns -= slept_ns < *ret_ns ? slept_ns : *ret_ns;
	return 0;
}

int process_name_send(int channel, uint32_t pid)
{
	struct channel_message m = {.kind = CHANNEL_NAMED, .count = pid};
	struct process p = {.dir_fd = -1};

	if (process_open(&p, (pid_t)pid) == 0) {
		/* Of a process that ends in between both are of no use. */
		if (started_ns(&p, &m.named.started_ns) == 0)
			process_shown_comm_of(&p, m.named.name);
		process_close(&p);
	}
	return channel_send(channel, &m);
}
