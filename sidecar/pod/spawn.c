/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/spawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* A daemon's parent ends before the daemon has its session: fork(), exit() and only then setsid(),
 * as daemon(3) and nginx do. */
#define SETTLE_MS 250
/* What has got SIGTERM has so long to end by itself. */
#define GRACE_MS 2000

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing is buffered behind any of them */
	*fd = -1;
}

static ssize_t read_whole(int fd, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = recv(fd, buf, size, MSG_WAITALL);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* The child's half. */
static _Noreturn void child(char *const *argv, int gate, const sigset_t *mask)
{
	char byte;
	int err;

	/* End of file: whoever started us gave up, or is dead. */
	if (read_whole(gate, &byte, 1) != 1)
		_exit(126);
	(void)sigprocmask(SIG_SETMASK, mask, NULL); /* cannot fail with these arguments */
	(void)execvp(argv[0], argv);
	err = errno;
	(void)send(gate, &err, sizeof(err), MSG_NOSIGNAL); /* the parent may be dead */
	_exit(126);
}

static int watch(int epoll_fd, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Blocks what is passed on; ret_before is what CMD shall have. */
static int open_descriptors(struct spawn *s, sigset_t *ret_before)
{
	sigset_t ours;
	int err;

	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		(void)sigaddset(&ours, passed_on[i]);
	/* Ignored, as some parents leave it, it would take the exit status away. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &ours, ret_before))
		return -errno;
	s->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	s->fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->signal_fd < 0 || s->fd < 0 || s->timer_fd < 0)
		return -errno;
	s->events_fd = cgroup_events_open(s->cgroup);
	if (s->events_fd < 0)
		return s->events_fd;
	err = watch(s->fd, s->signal_fd, EPOLLIN);
	return err ? err : watch(s->fd, s->timer_fd, EPOLLIN);
}

int spawn_start(struct spawn *s, char *const *argv, const struct cgroup *cg)
{
	int gate[2];
	sigset_t before;
	int err;

	*s = (struct spawn){.cgroup = cg,
			    .fd = -1,
			    .signal_fd = -1,
			    .events_fd = -1,
			    .timer_fd = -1,
			    .gate_fd = -1};
	err = open_descriptors(s, &before);
	if (!err && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate))
		err = -errno;
	if (err)
		goto fail;
	s->gate_fd = gate[0];
	s->pid = fork();
	if (s->pid == 0) {
		(void)close(gate[0]); /* or the end of the parent would not be seen */
		child(argv, gate[1], &before);
	}
	err = s->pid < 0 ? -errno : 0;
	(void)close(gate[1]); /* the child has its own */
	if (!err)
		err = cgroup_add(cg, s->pid);
	if (!err)
		return 0;
fail:
	spawn_close(s);
	return err;
}

/* waitpid() that a signal does not cut short. */
static pid_t wait_for(pid_t pid, int *ret_status, int flags)
{
	pid_t got;

	do {
		got = waitpid(pid, ret_status, flags);
	} while (got < 0 && errno == EINTR);
	return got;
}

int spawn_go(struct spawn *s)
{
	int err = 0;
	int status;
	ssize_t n = 0;

	/* A child that somebody has killed meanwhile is noticed by its SIGCHLD. */
	if (send(s->gate_fd, "g", 1, MSG_NOSIGNAL) == 1)
		n = read_whole(s->gate_fd, &err, sizeof(err));
	close_fd(&s->gate_fd);
	if (n != sizeof(err)) {
		s->state = SPAWN_RUNNING;
		return 0;
	}
	(void)wait_for(s->pid, &status, 0); /* it has nothing left to do but end */
	s->state = SPAWN_ENDED;
	s->exit_code = err == ENOENT ? 127 : 126;
	return -err;
}

void spawn_signal(struct spawn *s, int signo)
{
	if (s->state == SPAWN_WAITING || s->state == SPAWN_RUNNING) {
		(void)kill(s->pid, signo); /* not reaped yet: the pid is still its own */
		return;
	}
	if (s->state != SPAWN_LEFT)
		return;
	if ((signo == SIGINT || signo == SIGTERM) && s->ends++ > 0)
		(void)cgroup_kill(s->cgroup); /* gone already, else asked for again */
	else
		(void)cgroup_signal(s->cgroup, signo);
}

/* A key of the terminal signals its whole foreground process group. */
static bool has_it_already(const struct spawn *s, const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_KERNEL && s->state != SPAWN_LEFT &&
	       getpgid(s->pid) == getpgrp();
}

struct remainder {
	pid_t session;
	int daemons;
};

/* Ends a process unless it is a daemon; adds to one of the two counts. */
static int end_remainder(void *ctx, pid_t pid)
{
	struct remainder *r = ctx;
	pid_t session = getsid(pid);

	if (session < 0)
		return 0; /* gone */
	if (session != r->session) {
		r->daemons++;
		return 0;
	}
	return kill(pid, SIGTERM) == 0;
}

static void set_timer(struct spawn *s, long ms)
{
	struct itimerspec in = {.it_value = {ms / 1000, ms % 1000 * 1000000}};

	(void)timerfd_settime(s->timer_fd, 0, &in, NULL); /* valid arguments */
}

/* What CMD has left behind: see spawn.h. */
static void deal_with_rest(struct spawn *s)
{
	struct remainder r = {.session = getsid(0)};
	int ended = cgroup_each(s->cgroup, end_remainder, &r);

	if (ended > 0)
		log_info("run: the program has ended with status %d; ending %d process%s that it "
			 "left",
			 s->exit_code, ended, ended == 1 ? "" : "es");
	if (r.daemons > 0)
		log_info("run: the program has ended with status %d; watching the daemon that it "
			 "started (%d process%s) until it ends",
			 s->exit_code, r.daemons, r.daemons == 1 ? "" : "es");
	else
		set_timer(s, GRACE_MS);
	s->has_dealt = true;
}

/* CMD is reaped if it has ended. */
static void notice_end(struct spawn *s)
{
	int status;

	if (wait_for(s->pid, &status, WNOHANG) != s->pid)
		return;
	s->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	s->state = SPAWN_LEFT;
	if (watch(s->fd, s->events_fd, EPOLLPRI))
		s->state = SPAWN_ENDED; /* its end would never be seen */
	else
		set_timer(s, SETTLE_MS);
}

enum spawn_state spawn_read(struct spawn *s)
{
	struct signalfd_siginfo info;
	uint64_t expired;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD && !has_it_already(s, &info))
			spawn_signal(s, (int)info.ssi_signo);
	if (s->state == SPAWN_RUNNING)
		notice_end(s);
	if (s->state == SPAWN_LEFT && cgroup_events_read(s->events_fd) != 1)
		s->state = SPAWN_ENDED;
	if (read(s->timer_fd, &expired, sizeof(expired)) != (ssize_t)sizeof(expired) ||
	    s->state != SPAWN_LEFT)
		return s->state;
	if (s->has_dealt)
		(void)cgroup_kill(s->cgroup); /* it may be empty by now */
	else
		deal_with_rest(s);
	return s->state;
}

void spawn_close(struct spawn *s)
{
	int status;

	if (s->state == SPAWN_WAITING && s->pid > 0) {
		(void)kill(s->pid, SIGKILL); /* it may be stopped */
		(void)wait_for(s->pid, &status, 0);
	}
	s->state = SPAWN_ENDED;
	close_fd(&s->gate_fd);
	close_fd(&s->fd);
	close_fd(&s->signal_fd);
	close_fd(&s->events_fd);
	close_fd(&s->timer_fd);
}
