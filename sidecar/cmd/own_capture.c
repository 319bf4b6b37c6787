/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/own_capture.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/control_socket.h"
#include "pod/place.h"
#include "pod/privilege.h"

#define EXIT_USE 2

/* A capture that has closed its socket is about to end, with a status of its own. */
#define END_MS 1000

static volatile pid_t capture_pid; /* for the signal handler */

static void on_signal(int signo)
{
	int saved = errno;

	(void)signo;
	if (capture_pid)
		(void)kill(capture_pid, SIGTERM); /* fails only if it has ended */
	errno = saved;
}

static bool is_pod(void)
{
	struct place_facts *f = malloc(sizeof(*f));
	bool ret;

	if (!f)
		return false;
	place_read(f);
	ret = f->is_kubernetes || place_of(f) == PLACE_POD;
	free(f);
	return ret;
}

static bool is_wanted(const struct options *o)
{
	if (o->pid || o->cgroup)
		return true;
	return !o->control && access(CONTROL_PATH, F_OK) && is_pod();
}

/* Lines of the child have no place on the screen of a live top. */
static int log_level_of(const struct options *o)
{
	bool has_screen = o->command == COMMAND_TOP && !o->is_once;

	return has_screen && o->log_level < LOG_LEVEL_DEBUG ? LOG_LEVEL_ERROR : o->log_level;
}

/* The child, from fork() on. */
static void execute(const struct options *o, const char *command, int fd, pid_t parent)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",	  [LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_TRACE] = "trace",
	};
	static const char *const exports[] = {"SIDELIGHT_CONTROL", "SIDELIGHT_METRICS_LISTEN",
					      "SIDELIGHT_PUSH", "SIDELIGHT_OTLP",
					      "SIDELIGHT_RECORDER"};
	char control[16];
	char pid[24];
	const char *argv[10] = {
		"sidelight", "run",  "--no-summary", "--log-level", levels[log_level_of(o)],
		"--control", control};
	size_t n = 7;

	(void)snprintf(control, sizeof(control), "fd:%d", fd);
	(void)snprintf(pid, sizeof(pid), "%" PRIu64, o->pid);
	if (o->pid || o->cgroup) {
		argv[n++] = o->pid ? "--pid" : "--cgroup";
		argv[n++] = o->pid ? pid : o->cgroup;
	}
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++)
		(void)unsetenv(exports[i]); /* fails for bad names only */
	(void)setenv("OTEL_METRICS_EXPORTER", "none", 1); /* no memory: it exports, too */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* since 2.1.57 */
	if (getppid() != parent)
		_exit(EXIT_USE); /* it ended before that */
	(void)execv("/proc/self/exe", (char *const *)argv);
	log_error("%s: cannot start a capture (%s)", command, strerror(errno));
	_exit(EXIT_USE);
}

static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &action, NULL); /* these can be caught */
}

int own_capture_start(struct own_capture *c, const struct options *o, const char *command)
{
	pid_t parent = getpid();
	int fd;

	*c = (struct own_capture){0};
	if (!is_wanted(o))
		return 0;
	if (o->last && !o->wants_follow) {
		log_error("%s: --last: no sidecar has recorded anything here; without it, requests "
			  "are printed as they end",
			  command);
		return EXIT_USE;
	}
	fd = unix_socket_listen_abstract(c->socket);
	if (fd >= 0)
		c->pid = fork();
	if (fd < 0 || c->pid < 0) {
		log_error("%s: cannot start a capture (%s)", command,
			  strerror(fd < 0 ? -fd : errno));
		if (fd >= 0)
			(void)close(fd); /* nobody has connected */
		c->pid = 0;
		return EXIT_USE;
	}
	if (c->pid == 0)
		execute(o, command, fd, parent);
	(void)close(fd); /* the child's is left: when it ends, so does what waits there */
	capture_pid = c->pid;
	catch_signals();
	if (privilege_give_up(o->output))
		log_debug("%s: keeps its capabilities", command);
	return 0;
}

static void wait_for_end(pid_t pid)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};

	if (p.fd < 0)
		return; /* kernel 5.3 has it */
	(void)poll(&p, 1, END_MS); /* what has not ended is ended by the caller */
	(void)close(p.fd);
}

int own_capture_end(struct own_capture *c, int status)
{
	int result = 0;

	if (!c->pid)
		return status;
	if (status)
		wait_for_end(c->pid);
	(void)kill(c->pid, SIGTERM); /* it may have ended */
	while (waitpid(c->pid, &result, 0) < 0 && errno == EINTR)
		;
	capture_pid = 0;
	c->pid = 0;
	if (WIFSIGNALED(result)) {
		log_error("the capture was ended by signal %d", WTERMSIG(result));
		return EXIT_USE;
	}
	return WEXITSTATUS(result) ? WEXITSTATUS(result) : status;
}
