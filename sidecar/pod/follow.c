/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Without inotify. */
#define POLL_MS 2000
/*
 * The kernel holds a notification of cgroup.events back for 10 ms after the
 * one before it, and drops it if the cgroup is removed meanwhile: a look after
 * that time sees what a dropped one would have reported.
 */
#define RECHECK_MS 20

struct follow {
	char *path;
	bool has_processes_only; /* the path is not one of this mount namespace */
	uint64_t id; /* 0: GONE */
	int fd; /* epoll */
	int inotify_fd; /* -1: none */
	int timer_fd;
	int dir_fd; /* of a cgroup without path */
	int events_fd; /* likewise */
};

static int add(struct follow *f, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	return epoll_ctl(f->fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void set_timer(struct follow *f, long ms, bool is_periodic)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	struct itimerspec spec = {.it_value = time};

	if (is_periodic)
		spec.it_interval = time;
	(void)timerfd_settime(f->timer_fd, 0, &spec, NULL); /* valid: cannot fail */
}

/* Before the path is looked at: what is made in a directory after its watch is reported. */
static void watch_parents(struct follow *f)
{
	char path[PATH_MAX];
	struct statfs fs;
	char *slash;

	if (f->inotify_fd < 0)
		return;
	(void)snprintf(path, sizeof(path), "%s", f->path); /* as long at most */
	while ((slash = strrchr(path, '/')) && slash != path) {
		*slash = '\0';
		if (statfs(path, &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC)
			break;
		/* One that is missing is reported by the one above it. */
		(void)inotify_add_watch(f->inotify_fd, path, IN_CREATE | IN_DELETE | IN_ONLYDIR);
	}
}

static int start_path(struct follow *f)
{
	f->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->inotify_fd < 0) {
		set_timer(f, POLL_MS, true);
		return 0;
	}
	watch_parents(f);
	return add(f, f->inotify_fd, EPOLLIN);
}

static int start_processes(struct follow *f, const struct cgroup *cg)
{
	f->dir_fd = fcntl(cg->fd, F_DUPFD_CLOEXEC, 0);
	f->events_fd = cgroup_events_open(cg);
	if (f->dir_fd < 0 || f->events_fd < 0)
		return f->dir_fd < 0 ? -errno : f->events_fd;
	set_timer(f, RECHECK_MS, false);
	return add(f, f->events_fd, EPOLLPRI | EPOLLET);
}

/* The cgroup's path in this mount namespace, if it has one. */
static char *find_path(const struct cgroup *cg)
{
	char *path = realpath(cg->path, NULL);
	struct stat st;

	if (path && stat(path, &st) == 0 && st.st_ino == cg->id)
		return path;
	free(path);
	return NULL;
}

struct follow *follow_new(const struct cgroup *cg)
{
	struct follow *f = malloc(sizeof(*f));
	int err;

	if (!f)
		return NULL;
	*f = (struct follow){.id = cg->id, .inotify_fd = -1, .dir_fd = -1, .events_fd = -1};
	f->path = find_path(cg);
	if (!f->path) {
		f->has_processes_only = true;
		f->path = strdup(cg->path);
	}
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	f->fd = epoll_create1(EPOLL_CLOEXEC);
	err = !f->path || f->fd < 0 || f->timer_fd < 0 ? -errno : add(f, f->timer_fd, EPOLLIN);
	if (!err)
		err = f->has_processes_only ? start_processes(f, cg) : start_path(f);
	if (!err)
		return f;
	follow_free(f);
	errno = -err;
	return NULL;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	const int fds[] = {f->fd, f->inotify_fd, f->timer_fd, f->dir_fd, f->events_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]); /* nothing was written */
	free(f->path);
	free(f);
}

int follow_fd(const struct follow *f)
{
	return f->fd;
}

/* Makes the descriptor quiet. Which directories were made and removed does not matter. */
static void take_reports(struct follow *f)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct epoll_event event;

	(void)epoll_wait(f->fd, &event, 1, 0); /* takes the edge of events_fd */
	while (f->inotify_fd >= 0 && read(f->inotify_fd, buf, sizeof(buf)) > 0)
		;
}

static int read_path(struct follow *f, struct cgroup *ret_cgroup)
{
	struct stat st;
	int err;

	watch_parents(f);
	err = stat(f->path, &st) ? -errno : 0;
	if (!err && st.st_ino == f->id)
		return FOLLOW_SAME;
	if (!err)
		err = cgroup_open(ret_cgroup, f->path);
	if (!err) {
		f->id = ret_cgroup->id;
		return FOLLOW_NEW;
	}
	if (err != -ENOENT && err != -ENOTDIR && err != -ENODEV)
		return err;
	if (!f->id)
		return FOLLOW_SAME;
	f->id = 0;
	return FOLLOW_GONE;
}

static int read_processes(struct follow *f, bool has_news, struct cgroup *ret_cgroup)
{
	bool is_populated = cgroup_events_read(f->events_fd) == 1;
	int fd;
	int err;

	if (has_news)
		set_timer(f, RECHECK_MS, false);
	if (is_populated == (f->id != 0))
		return FOLLOW_SAME;
	if (!is_populated) {
		f->id = 0;
		return FOLLOW_GONE;
	}
	fd = fcntl(f->dir_fd, F_DUPFD_CLOEXEC, 0);
	err = fd < 0 ? -errno : cgroup_open_fd(ret_cgroup, fd, f->path);
	if (err)
		return err;
	f->id = ret_cgroup->id;
	return FOLLOW_NEW;
}

int follow_read(struct follow *f, struct cgroup *ret_cgroup)
{
	uint64_t ticks = 0;
	bool has_news;

	has_news = read(f->timer_fd, &ticks, sizeof(ticks)) < 0; /* else it is the second look */
	take_reports(f);
	return f->has_processes_only ? read_processes(f, has_news, ret_cgroup)
				     : read_path(f, ret_cgroup);
}
