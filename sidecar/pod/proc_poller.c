/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/proc_poller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FAST_MS	    20u
#define SLOW_MS	    2000u
#define FAST_FOR_MS 10000u

/* Processes that are asked for again; those beyond are found when they start others. */
#define WAITING_MAX 32

/* More new numbers than this at once: reading the list of all is no dearer. */
#define NEW_MAX 1024

struct waiting {
	pid_t pid;
	unsigned looks;
};

struct proc_poller {
	int fd; /* epoll */
	int timer_fd;
	int hosts_fd; /* inotify */
	int load_fd;
	bool is_fast;
	uint64_t fast_until_ms;
	pid_t last; /* the namespace's last number when we looked */
	size_t waiting_count;
	struct waiting waiting[WAITING_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Restarts the timer's period. */
static void set_pace(struct proc_poller *l, bool is_fast)
{
	unsigned ms = is_fast ? FAST_MS : SLOW_MS;
	struct timespec period = {ms / 1000, (long)(ms % 1000) * 1000000};
	struct itimerspec spec = {period, period};

	l->is_fast = is_fast;
	(void)timerfd_settime(l->timer_fd, 0, &spec, NULL); /* valid: cannot fail */
}

void proc_poller_hurry(struct proc_poller *l)
{
	l->fast_until_ms = now_ms() + FAST_FOR_MS;
	if (!l->is_fast)
		set_pace(l, true);
}

/* "0.20 0.18 0.12 1/80 11206": the last is the newest number (proc(5)); -1: not readable. */
static pid_t newest(const struct proc_poller *l)
{
	char buf[128];
	ssize_t n = pread(l->load_fd, buf, sizeof(buf) - 1, 0);
	const char *at;

	if (n <= 0)
		return -1;
	buf[n] = '\0';
	at = strrchr(buf, ' ');
	return at ? (pid_t)atoi(at + 1) : -1;
}

static int add(const struct proc_poller *l, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return fd < 0 ? -1 : epoll_ctl(l->fd, EPOLL_CTL_ADD, fd, &event);
}

struct proc_poller *proc_poller_new(void)
{
	struct proc_poller *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	l->load_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	l->hosts_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (l->fd < 0 || l->load_fd < 0 || add(l, l->timer_fd)) {
		proc_poller_free(l);
		return NULL;
	}
	/* A hint: without it, late containers are found at the slow pace. */
	if (l->hosts_fd >= 0 &&
	    inotify_add_watch(l->hosts_fd, "/etc/hosts", IN_MODIFY | IN_CLOSE_WRITE) >= 0)
		(void)add(l, l->hosts_fd);
	l->last = newest(l);
	proc_poller_hurry(l);
	return l;
}

void proc_poller_free(struct proc_poller *l)
{
	if (!l)
		return;
	const int fds[] = {l->fd, l->timer_fd, l->load_fd, l->hosts_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]); /* nothing was written */
	free(l);
}

int proc_poller_fd(const struct proc_poller *l)
{
	return l->fd;
}

void proc_poller_later(struct proc_poller *l, pid_t pid)
{
	if (l->waiting_count < WAITING_MAX)
		l->waiting[l->waiting_count++] = (struct waiting){.pid = pid};
	proc_poller_hurry(l);
}

static void ask_again(struct proc_poller *l, proc_poller_fn fn, void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->waiting_count; i++) {
		struct waiting w = l->waiting[i];

		if (fn(ctx, w.pid, ++w.looks >= FAST_FOR_MS / FAST_MS) == -EAGAIN)
			l->waiting[kept++] = w;
	}
	l->waiting_count = kept;
}

/* Numbers come in order and begin again at their end: then, and after too many, all is new. */
static bool look_at_new(struct proc_poller *l, proc_poller_fn fn, void *ctx)
{
	pid_t last = l->last;
	pid_t now = newest(l);

	if (now < 0 || now == last)
		return false;
	l->last = now;
	if (last < 0 || now < last || now - last > NEW_MAX)
		return true;
	for (pid_t pid = last + 1; pid <= now; pid++)
		if (fn(ctx, pid, false) == -EAGAIN)
			proc_poller_later(l, pid);
	return false;
}

bool proc_poller_read(struct proc_poller *l, proc_poller_fn fn, void *ctx)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool is_announced = false;
	uint64_t ticks;

	while (l->hosts_fd >= 0 && read(l->hosts_fd, buf, sizeof(buf)) > 0)
		is_announced = true;
	if (is_announced)
		proc_poller_hurry(l);
	(void)!read(l->timer_fd, &ticks, sizeof(ticks)); /* quiet again */
	ask_again(l, fn, ctx);
	if (l->is_fast && now_ms() > l->fast_until_ms && l->waiting_count == 0)
		set_pace(l, false);
	return look_at_new(l, fn, ctx);
}
