/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/channel.h"
#include "pod/spawn.h"

/* The worker's process, for good. It has what was open before it, which is the target alone. */
static _Noreturn void be_worker(broker_worker_fn fn, void *ctx, struct target *target,
				const int ends[2])
{
	spawn_ignore_signals(); /* the broker takes them, and says when to stop */
	(void)close(ends[0]); /* or the broker's end would not be seen */
	if (target)
		(void)close(target->cgroup.fd); /* nothing was written */
	free(target);
	exit(fn(ctx, ends[1]));
}

int worker_start(broker_worker_fn fn, void *ctx, struct target *target, int *ret_channel,
		 pid_t *ret_pid)
{
	int ends[2];
	pid_t pid;
	int err = channel_open(ends);

	if (err) {
		log_error("run: cannot open a socket (%s)", strerror(-err));
		return err;
	}
	*ret_channel = ends[0];
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail with these arguments */
	pid = fork();
	if (pid == 0)
		be_worker(fn, ctx, target, ends);
	(void)close(ends[1]); /* the worker has its own */
	if (pid < 0) {
		log_error("run: cannot start a process (%s)", strerror(errno));
		return -errno;
	}
	*ret_pid = pid;
	return 0;
}
