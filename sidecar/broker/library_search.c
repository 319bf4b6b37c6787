/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/library_search.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pod/sandbox.h"

/* What the child writes for each file; less than PIPE_BUF, so it is whole. */
struct result {
	uint32_t file;
	int32_t err;
	union library_found found;
};

/* In the child, where the files begin. */
#define FIRST_FD 3

void library_search_init(struct library_search *s, uv_loop_t *loop, enum library_search_for what,
			 library_found_fn found, library_done_fn done, void *ctx)
{
	*s = (struct library_search){.loop = loop,
				     .what = what,
				     .found = found,
				     .done = done,
				     .ctx = ctx,
				     .pid_fd = -1,
				     .pipe_fd = -1};
}

/* Only standard files, the files to read, and behind them the pipe are left. False: no. */
static bool keep_only(const int *fds, size_t count, int pipe_fd)
{
	int high[LIBRARY_SEARCH_FILES + 1];

	/* Above all that they are moved to, so that none is overwritten. */
	for (size_t i = 0; i <= count; i++) {
		high[i] = fcntl(i < count ? fds[i] : pipe_fd, F_DUPFD, 256);
		if (high[i] < 0)
			return false;
	}
	for (size_t i = 0; i <= count; i++)
		if (dup2(high[i], FIRST_FD + (int)i) < 0)
			return false;
	return close_range(FIRST_FD + (unsigned)count + 1, ~0u, 0) == 0;
}

static _Noreturn void be_child(enum library_search_for what, const int *fds, size_t count,
			       int pipe_fd)
{
	const struct rlimit cpu = {LIBRARY_SEARCH_SECONDS, LIBRARY_SEARCH_SECONDS};

	if (!keep_only(fds, count, pipe_fd) || setrlimit(RLIMIT_CPU, &cpu) || sandbox_begin() ||
	    sandbox_enter(NULL, 0))
		_exit(1);
	for (size_t i = 0; i < count; i++) {
		struct result r = {.file = (uint32_t)i};

		r.err = what == LIBRARY_KEY_LOG ? key_log_find(FIRST_FD + (int)i, &r.found.key_log)
						: go_grpc_find(FIRST_FD + (int)i, &r.found.go_grpc);
		if (write(FIRST_FD + (int)count, &r, sizeof(r)) != sizeof(r))
			_exit(1);
	}
	_exit(0);
}

static void end_child(struct library_search *s, int signo)
{
	siginfo_t info;

	if (signo)
		(void)syscall(SYS_pidfd_send_signal, s->pid_fd, signo, NULL, 0); /* it has ended */
	/* The pipe is closed, or it was killed: it does not take long. Another may have reaped it.
	 */
	(void)waitid((idtype_t)3 /* P_PIDFD */, (id_t)s->pid_fd, &info, WEXITED);
	(void)close(s->pid_fd); /* nothing is buffered */
	s->pid_fd = -1;
}

static void on_closed(uv_handle_t *handle)
{
	struct library_search *s = handle->data;

	s->is_running = false;
	if (s->done)
		s->done(s->ctx);
}

static void finish(struct library_search *s, int signo)
{
	if (s->pipe_fd < 0)
		return;
	end_child(s, signo);
	uv_close((uv_handle_t *)&s->poll, on_closed);
	(void)close(s->pipe_fd); /* read only */
	s->pipe_fd = -1;
}

/* The child may have been taken over by a file: what it says is checked. */
static bool is_valid(const struct library_search *s, const struct result *r)
{
	const uint8_t *in = r->found.key_log.registers.in;

	if (r->file >= s->count || r->err > 0)
		return false;
	for (size_t i = 0; s->what == LIBRARY_KEY_LOG && i < KEY_LOG_ARGUMENTS; i++)
		if (in[i] >= AMD64_REGISTERS && in[i] != KEY_LOG_NOWHERE)
			return false;
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct library_search *s = poll->data;
	struct result r;
	ssize_t n;

	(void)status; /* an error shows as readable */
	(void)events;
	while ((n = read(s->pipe_fd, &r, sizeof(r))) == sizeof(r) && is_valid(s, &r))
		s->found(s->ctx, r.file, r.err, &r.found);
	if (n >= 0 || errno != EAGAIN)
		finish(s, n > 0 ? SIGKILL : 0);
}

int library_search_start(struct library_search *s, const int *fds, size_t count)
{
	int ends[2];
	pid_t child;

	if (s->is_running)
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	child = fork();
	if (child == 0)
		be_child(s->what, fds, count, ends[1]);
	(void)close(ends[1]); /* the child has its own */
	s->pid_fd = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;
	if (s->pid_fd < 0) {
		int err = -errno;

		(void)close(ends[0]); /* the child sees that nobody reads */
		return err;
	}
	s->pipe_fd = ends[0];
	s->count = count;
	s->is_running = true;
	(void)uv_poll_init(s->loop, &s->poll, s->pipe_fd); /* a pipe: cannot fail, nor the next */
	s->poll.data = s;
	(void)uv_poll_start(&s->poll, UV_READABLE, on_readable);
	return 0;
}

void library_search_stop(struct library_search *s)
{
	s->done = NULL;
	finish(s, SIGKILL);
}
