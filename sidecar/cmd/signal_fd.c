/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/signal_fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

int signal_fd_open(const int *numbers, size_t count)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set); /* as the next ones: valid numbers */
	for (size_t i = 0; i < count; i++)
		(void)sigaddset(&set, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
