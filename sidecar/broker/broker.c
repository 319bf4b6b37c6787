/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order matters at both ends. The worker is forked first, so that it has nothing of what the broker
 * opens, and sets itself up while programs load. Everything is attached before CMD is let go. At
 * the end the worker asks for the detachment, since it reads what came before it.
 */
#include "broker/broker.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/resident.h"
#include "base/usage.h"
#include "broker/channel.h"
#include "broker/discovery.h"
#include "broker/header_list_probes.h"
#include "broker/link_closer.h"
#include "broker/named.h"
#include "broker/process_name.h"
#include "broker/socket_check.h"
#include "broker/syscall_counting.h"
#include "broker/targets.h"
#include "broker/tls_probes.h"
#include "broker/worker.h"
#include "capture/hooks.h"
#include "pod/place.h"
#include "pod/privilege.h"
#include "pod/spawn.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* The worker promises to be gone 2.5 s after STOP (cmd/run.c): then it is killed. */
#define WORKER_DEADLINE_MS 4000
/* After it has closed the channel, which is the last that it does. */
#define REAP_MAX_MS  1000
#define REAP_STEP_MS 5
/* Messages in one iteration of the loop, so that signals and timers are served, too. */
#define MESSAGES_PER_TURN 64

struct broker {
	const struct broker_options *o;
	uv_loop_t loop;
	int channel; /* -1: closed */
	pid_t worker; /* 0: reaped */
	bool has_killed; /* the worker, and said why */
	uv_poll_t channel_poll;
	struct target *target; /* that was named; owned until it is one of targets */
	struct programs *programs;
	struct targets targets;
	struct discovery discovery;
	struct named named;
	struct socket_check check;
	struct tls_probes *tls; /* owned; NULL: TLS is not decrypted */
	struct header_list_probes *lists; /* owned; NULL: there is no memory */
	struct syscall_counting syscalls;
	struct spawn spawn;
	bool has_spawn;
	uv_poll_t spawn_poll;
	uv_signal_t signals[3];
	uv_timer_t timer; /* --for; once stopping, the worker's deadline */
	bool is_running; /* the worker is READY */
	bool is_stopping;
	int status; /* to be returned where CMD has none to report; -1: the worker's */
};

static int say(struct broker *b, enum channel_kind kind)
{
	struct channel_message m = {.kind = kind};

	return channel_send(b->channel, &m);
}

static bool has_worker_ended(const struct broker *b)
{
	return !b->worker || (b->has_spawn && b->spawn.has_sibling_ended);
}

/* As waitpid() with WNOHANG; where CMD runs, pod/spawn.c may have reaped the worker. */
static pid_t wait_worker(const struct broker *b, int *ret_status)
{
	if (!has_worker_ended(b))
		return waitpid(b->worker, ret_status, WNOHANG);
	*ret_status = b->spawn.sibling_status;
	return b->worker;
}

static void kill_worker(struct broker *b, const char *why)
{
	if (has_worker_ended(b))
		return;
	log_error("run: the process that reads traffic %s; it is killed", why);
	(void)kill(b->worker, SIGKILL); /* not reaped yet: the pid is still its own */
	b->has_killed = true;
}

/*
 * Waits for the end of the worker, which has closed its side or was killed. One
 * that has closed it and lives on is not waited for.
 */
static void reap(struct broker *b)
{
	const struct timespec pause = {.tv_nsec = REAP_STEP_MS * 1000000L};
	int status = 0;
	pid_t got;

	if (!b->worker)
		return;
	for (int waited_ms = 0; (got = wait_worker(b, &status)) == 0; waited_ms += REAP_STEP_MS) {
		if (waited_ms == REAP_MAX_MS)
			kill_worker(b, "has let go of the broker, and does not end");
		(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
	}
	if (got < 0)
		log_error("run: the end of a process was lost (%s)", strerror(errno));
	b->worker = 0;
	if (b->status < 0)
		b->status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INCOMPLETE;
	if (WIFSIGNALED(status) && !b->has_killed)
		log_error("run: the process that reads traffic was ended by signal %d; "
			  "nothing is watched any more",
			  WTERMSIG(status));
}

static void detach(struct broker *b)
{
	discovery_stop(&b->discovery);
	named_stop(&b->named);
	socket_check_stop(&b->check);
	tls_probes_stop(b->tls);
	header_list_probes_stop(b->lists);
	syscall_counting_stop(&b->syscalls);
	targets_detach(&b->targets);
}

static void close_all(struct broker *b)
{
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&b->signals[i], NULL);
	uv_close((uv_handle_t *)&b->timer, NULL);
	targets_close(&b->targets);
	if (b->has_spawn)
		uv_close((uv_handle_t *)&b->spawn_poll, NULL);
}

/* The channel has ended, and so has the worker, or it will. */
static void on_worker_gone(struct broker *b)
{
	uv_close((uv_handle_t *)&b->channel_poll, NULL);
	detach(b);
	reap(b);
	/* CMD lives on without us; its exit status is still ours to return. */
	if (!b->has_spawn || b->spawn.state == SPAWN_WAITING || b->spawn.state == SPAWN_ENDED)
		close_all(b);
}

/* Nothing can be watched: one line was logged. The worker sees the end of the channel. */
static void abandon(struct broker *b, int status)
{
	b->status = status;
	b->is_stopping = true;
	(void)shutdown(b->channel, SHUT_RDWR); /* connected: cannot fail */
}

static void on_deadline(uv_timer_t *timer)
{
	kill_worker(timer->data, "does not end");
}

static void stop(struct broker *b)
{
	if (b->is_stopping)
		return;
	b->is_stopping = true;
	if (!b->worker) {
		close_all(b);
		return;
	}
	if (say(b, CHANNEL_STOP))
		kill_worker(b, "does not read its messages");
	else
		(void)uv_timer_start(&b->timer, on_deadline, WORKER_DEADLINE_MS, 0);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	stop(handle->data);
}

static void on_timer(uv_timer_t *timer)
{
	scoped_privilege int raised = privilege_raise();
	struct broker *b = timer->data;

	if (b->has_spawn)
		spawn_end(&b->spawn); /* its end is ours */
	else
		stop(b);
}

static void on_spawn(uv_poll_t *poll, int status, int events)
{
	scoped_privilege int raised = privilege_raise();
	struct broker *b = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	if (spawn_read(&b->spawn) == SPAWN_ENDED) {
		(void)uv_poll_stop(poll); /* cannot fail on an active handle */
		stop(b);
	}
}

/* From here on capabilities are in force only while something is attached or signalled. */
static void lower(struct broker *b)
{
	int err = privilege_lower(b->has_spawn);

	if (err)
		log_warn("run: cannot give up capabilities (%s)", strerror(-err));
	if (b->tls)
		link_closer_start(&b->loop);
	(void)malloc_trim(0);
	resident_trim();
}

/* CMD may go: everything is attached, and read. */
static void on_ready(struct broker *b)
{
	int err;

	if (b->is_running || b->is_stopping)
		return;
	b->is_running = true;
	lower(b);
	if (b->o->for_ms)
		(void)uv_timer_start(&b->timer, on_timer, b->o->for_ms, 0); /* has a callback */
	if ((b->o->pid || b->o->cgroup) && b->targets.slots[0].target)
		named_announce(b->targets.slots[0].target); /* its first, and it is attached */
	if (!b->has_spawn)
		return;
	err = spawn_go(&b->spawn);
	if (!err)
		err = uv_poll_start(&b->spawn_poll, UV_READABLE, on_spawn);
	if (err) {
		log_error("run: %s: %s", b->o->argv[0], strerror(-err));
		abandon(b, b->spawn.exit_code);
	}
}

static void answer_refresh(struct broker *b)
{
	struct usage used = usage_read();
	struct channel_message m = {.kind = CHANNEL_REFRESHED,
				    .refreshed = {used.resident_bytes, used.cpu_ns,
						  b->check.looks_total, b->check.looks_cut,
						  header_list_probes_lost(b->lists)}};

	/* Bulk comes first: what waits before it counts for its share of the channel. */
	syscall_counting_send(&b->syscalls);
	targets_refresh(&b->targets);
	if (channel_send(b->channel, &m) == -EAGAIN)
		b->targets.is_deaf = true;
}

static void on_message(struct broker *b, const struct channel_message *m)
{
	scoped_privilege int raised = privilege_raise();

	switch (m->kind) {
	case CHANNEL_READY:
		on_ready(b);
		break;
	case CHANNEL_REFRESH:
		answer_refresh(b);
		break;
	case CHANNEL_ANSWER:
		/* One that cannot be given is asked for again. */
		(void)programs_answer(b->programs, m->answer.conn_id, (enum dir)m->answer.dir,
				      m->answer.seq);
		break;
	case CHANNEL_FETCH:
		targets_send_closes(&b->targets);
		break;
	case CHANNEL_DETACH:
		syscall_counting_send(&b->syscalls);
		targets_refresh(&b->targets);
		detach(b);
		(void)say(b, CHANNEL_DETACHED); /* a worker that is gone shows by itself */
		break;
	case CHANNEL_LOOK:
		tls_probes_look(b->tls);
		break;
	case CHANNEL_LIST:
		socket_list_send(&b->check.list);
		break;
	case CHANNEL_PROCESS: /* a worker that does not read shows by itself */
		if (b->o->names_processes)
			(void)process_name_send(b->channel, m->count);
		break;
	case CHANNEL_COUNT:
		if (b->o->may_count_syscalls)
			syscall_counting_set(&b->syscalls, &b->targets, m->count);
		break;
	case CHANNEL_WANT_LISTS:
		if (b->is_running) /* else it is wanted again */
			header_list_probes_want(b->lists, m->wanted, m->count);
		break;
	case CHANNEL_MUTE: /* else the connection is copied to its end */
		(void)programs_mute(b->programs, m->mute.conn_id, (enum sl_mute)m->mute.why);
		break;
	}
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct broker *b = poll->data;
	struct channel_message m;
	int err = 0;

	(void)status; /* an error shows as readable */
	(void)events;
	for (int i = 0; i < MESSAGES_PER_TURN && !b->targets.is_deaf; i++) {
		err = channel_receive(b->channel, &m, SIDE_WORKER);
		if (err)
			break;
		on_message(b, &m);
	}
	if (err == -EBADMSG)
		kill_worker(b, "sent what it may not");
	else if (b->targets.is_deaf)
		kill_worker(b, "does not read its messages");
	if ((err && err != -EAGAIN) || b->targets.is_deaf)
		on_worker_gone(b);
}

/* What was named: nothing in a Pod, whose containers are found later. */
static int open_target(struct broker *b)
{
	const struct broker_options *o = b->o;
	int err;

	if (!o->argv && !o->pid && !o->cgroup)
		return place_check();
	b->target = malloc(sizeof(*b->target));
	if (!b->target) {
		log_error("run: out of memory");
		return -ENOMEM;
	}
	err = o->argv  ? target_create(b->target, o->argv[0])
	      : o->pid ? target_open_pid(b->target, (pid_t)o->pid)
		       : target_open_dir(b->target, o->cgroup);
	if (err) {
		free(b->target);
		b->target = NULL;
	}
	return err;
}

/* The named one, or those that there are. */
static int add_targets(struct broker *b)
{
	struct target *t = b->target;
	int err;

	if (!t)
		return discovery_start(&b->discovery, &b->loop, &b->targets, b->o->containers);
	err = targets_add(&b->targets, t);
	if (err)
		hooks_log_refusal(t->cgroup.fd, t->cgroup.path, err);
	else if (!b->o->argv)
		named_start(&b->named, &b->loop, &b->targets, t);
	b->target = err ? t : NULL; /* else it is one of targets */
	return err;
}

static int start_capture(struct broker *b)
{
	struct channel_message m = {.kind = CHANNEL_RING};
	int err;

	b->programs = programs_new(b->o->ring_bytes, b->o->conn_cap);
	if (!b->programs)
		return -ENOTSUP;
	b->targets.programs = b->programs;
	m.ring = *programs_ring(b->programs);
	err = channel_send(b->channel, &m);
	b->lists = header_list_probes_new(&b->loop, &b->targets);
	if (!err)
		err = add_targets(b);
	if (!err)
		err = say(b, CHANNEL_STARTED);
	/* The worker reads the ring from now on: it does not fill while these programs load. */
	if (!err && b->o->has_tls)
		b->tls = tls_probes_new(&b->loop, &b->targets);
	return err;
}

static int start_spawn(struct broker *b)
{
	int err;

	if (!b->o->argv)
		return 0;
	err = spawn_start(&b->spawn, b->o->argv, &b->target->cgroup);
	if (err)
		log_error("run: cannot start %s (%s)", b->o->argv[0], strerror(-err));
	else
		b->has_spawn = true;
	b->spawn.sibling = b->worker;
	return err;
}

/* Handles that close_all() closes; started as far as they have something to do now. */
static void start_handles(struct broker *b)
{
	/* With CMD, signals are CMD's: pod/spawn.h. */
	static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		(void)uv_signal_init(&b->loop, &b->signals[i]); /* cannot fail after the first */
		b->signals[i].data = b;
		if (!b->has_spawn)
			(void)uv_signal_start(&b->signals[i], on_signal, signals[i]);
	}
	(void)uv_timer_init(&b->loop, &b->timer); /* cannot fail */
	b->timer.data = b;
	/* Descriptors that can be polled: these cannot fail either. */
	(void)uv_poll_init(&b->loop, &b->channel_poll, b->channel);
	b->channel_poll.data = b;
	(void)uv_poll_start(&b->channel_poll, UV_READABLE, on_channel);
	if (b->has_spawn) {
		(void)uv_poll_init(&b->loop, &b->spawn_poll, b->spawn.fd);
		b->spawn_poll.data = b;
	}
	targets_init(&b->targets, &b->loop, NULL, b->channel);
	socket_check_start(&b->check, &b->loop, &b->targets, b->o->pid || b->o->cgroup);
}

static int finish(struct broker *b)
{
	scoped_privilege int raised = privilege_raise();

	if (b->has_spawn)
		spawn_close(&b->spawn);
	tls_probes_free(b->tls);
	header_list_probes_free(b->lists);
	programs_free(b->programs);
	targets_release(&b->targets);
	if (b->target)
		target_close(b->target);
	free(b->target);
	if (b->channel >= 0)
		(void)close(b->channel); /* nobody reads it any more */
	reap(b);
	return b->has_spawn && b->spawn.exit_code ? b->spawn.exit_code : b->status;
}

int broker_run(const struct broker_options *o, broker_worker_fn worker, void *ctx)
{
	struct broker b = {.o = o, .channel = -1, .status = -1};

	if (open_target(&b))
		return EXIT_USE;
	if (worker_start(worker, ctx, b.target, &b.channel, &b.worker) || start_spawn(&b)) {
		b.status = EXIT_USE;
		return finish(&b);
	}
	/* CMD has its own. */
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
	if (uv_loop_init(&b.loop)) {
		log_error("run: out of memory");
		b.status = EXIT_USE;
		return finish(&b);
	}
	start_handles(&b);
	if (start_capture(&b))
		abandon(&b, EXIT_USE);
	(void)uv_run(&b.loop, UV_RUN_DEFAULT); /* ends when everything is closed */
	(void)uv_loop_close(&b.loop);
	return finish(&b);
}
