/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

int wake_open(struct wake *w, int ring_fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int err = 0;

	w->ring_fd = -1;
	w->fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	w->ring_fd = fcntl(ring_fd, F_DUPFD_CLOEXEC, 0);
	if (w->ring_fd < 0 || epoll_ctl(w->fd, EPOLL_CTL_ADD, w->ring_fd, &event))
		err = -errno;
	if (err)
		wake_close(w);
	return err;
}

void wake_close(struct wake *w)
{
	if (w->fd >= 0)
		(void)close(w->fd); /* nothing was written to it, nor to the next */
	if (w->ring_fd >= 0)
		(void)close(w->ring_fd);
	w->fd = w->ring_fd = -1;
}

void wake_consume(const struct wake *w)
{
	struct epoll_event event;

	(void)epoll_wait(w->fd, &event, 1, 0); /* there may be none */
}
