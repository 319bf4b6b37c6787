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

/* Signals that the kernel raises for what we do ourselves, and those that cannot be blocked. */
static const int kept[] = {SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGABRT, SIGSEGV, SIGBUS,
			   SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGXCPU, SIGXFSZ};

/* All that CMD gets and this process does not act on. */
static void passed_on(sigset_t *ret_signals)
{
	(void)sigfillset(ret_signals); /* these two cannot fail */
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		(void)sigdelset(ret_signals, kept[i]);
}

/* SIGXFSZ as this process inherited it, for CMD. */
static sighandler_t inherited_xfsz = SIG_DFL;

void spawn_ignore_file_size(void)
{
	inherited_xfsz = signal(SIGXFSZ, SIG_IGN); /* cannot fail */
}

static bool is_job_stop(int signo)
{
	return signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
}

void spawn_ignore_signals(void)
{
	sigset_t ignored;

	passed_on(&ignored);
	(void)sigaddset(&ignored, SIGPIPE); /* none of these can fail */
	(void)sigaddset(&ignored, SIGXFSZ); /* a log file that may not grow */
	for (int i = 1; i <= SIGRTMAX; i++)
		if (sigismember(&ignored, i) == 1 && !is_job_stop(i))
			(void)signal(i, SIG_IGN);
}

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

/* In the child. */
static _Noreturn void child(char *const *argv, int gate, const sigset_t *mask)
{
	char byte;
	int err;

	/* End of file: whoever started us gave up, or is dead. */
	if (read_whole(gate, &byte, 1) != 1)
		_exit(126);
	(void)signal(SIGXFSZ, inherited_xfsz); /* cannot fail */
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

	passed_on(&ours);
	(void)sigaddset(&ours, SIGCHLD);
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

/*
 * Passes a signal on, unless the terminal sent it: a key, a new window size or a read from the
 * background signals the whole process group, and CMD is usually in it. When that stops CMD, we
 * stop as well, or the shell would not see that its job is stopped.
 */
static void pass_on(struct spawn *s, const struct signalfd_siginfo *info)
{
	int signo = (int)info->ssi_signo;
	bool is_terminal = info->ssi_code == SI_KERNEL;

	if (is_terminal && is_job_stop(signo))
		(void)raise(SIGSTOP); /* cannot fail; PID 1 of a namespace goes on */
	else if (is_terminal && s->state != SPAWN_LEFT && getpgid(s->pid) == getpgrp())
		return;
	else if (is_terminal && signo == SIGWINCH && s->state == SPAWN_LEFT)
		return; /* a daemon has no window, and may end on this signal */
	else
		spawn_signal(s, signo);
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
		log_info("the program has ended with status %d; ending %d process%s that it "
			 "left",
			 s->exit_code, ended, ended == 1 ? "" : "es");
	if (r.daemons > 0)
		log_info("the program has ended with status %d; watching the daemon that it "
			 "started (%d process%s) until it ends",
			 s->exit_code, r.daemons, r.daemons == 1 ? "" : "es");
	else
		set_timer(s, GRACE_MS);
	s->has_sent_term = true;
}

static void note_end(struct spawn *s, int status)
{
	if (!s->is_ending)
		s->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	s->state = SPAWN_LEFT;
	if (watch(s->fd, s->events_fd, EPOLLPRI))
		s->state = SPAWN_ENDED; /* its end would never be seen */
	else if (s->is_ending)
		(void)cgroup_signal(s->cgroup, SIGTERM); /* what it misses is killed later */
	else
		set_timer(s, SETTLE_MS);
}

/* Reaps all that have ended: as PID 1 of a container we get orphans of other processes, too. */
static void reap_children(struct spawn *s)
{
	int status;
	pid_t pid;

	while ((pid = wait_for(-1, &status, WNOHANG)) > 0) {
		if (pid == s->pid && s->state == SPAWN_RUNNING) {
			note_end(s, status);
		} else if (pid == s->sibling) {
			s->sibling_status = status;
			s->has_sibling_ended = true;
		}
	}
}

void spawn_end(struct spawn *s)
{
	if (s->state == SPAWN_LEFT)
		(void)cgroup_signal(s->cgroup, SIGTERM); /* what it misses is killed later */
	else
		spawn_signal(s, SIGTERM);
	s->is_ending = true;
	set_timer(s, GRACE_MS);
}

/* The time that spawn_end() allows has passed, or passed again after SIGKILL. */
static void force_end(struct spawn *s)
{
	if (s->has_killed) {
		log_warn("a process of the program does not end by SIGKILL; left alone");
		s->state = SPAWN_ENDED;
		return;
	}
	log_info("the program has not ended %d s after SIGTERM; killing what is left of it",
		 GRACE_MS / 1000);
	if (s->state == SPAWN_RUNNING)
		(void)kill(s->pid, SIGKILL); /* it may have moved to another cgroup */
	(void)cgroup_kill(s->cgroup); /* it may be empty by now */
	s->has_killed = true;
	set_timer(s, GRACE_MS);
}

static void on_timer(struct spawn *s)
{
	if (s->is_ending)
		force_end(s);
	else if (s->state != SPAWN_LEFT)
		return;
	else if (s->has_sent_term)
		(void)cgroup_kill(s->cgroup); /* it may be empty by now */
	else
		deal_with_rest(s);
}

enum spawn_state spawn_read(struct spawn *s)
{
	struct signalfd_siginfo info;
	uint64_t expired;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			pass_on(s, &info);
	reap_children(s);
	if (s->state == SPAWN_LEFT && cgroup_events_read(s->events_fd) != 1)
		s->state = SPAWN_ENDED;
	if (s->state != SPAWN_ENDED &&
	    read(s->timer_fd, &expired, sizeof(expired)) == (ssize_t)sizeof(expired))
		on_timer(s);
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
