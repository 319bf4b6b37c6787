/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/discovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "capture/hooks.h"

static void on_timer(uv_timer_t *timer);

/* From the creation of a container to its first program, that of a slow node included. */
#define LATER_MS 2000

static int on_found(void *ctx, const struct container *c, struct cgroup *cgroup)
{
	struct discovery *d = ctx;
	struct target *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (t) {
		(void)snprintf(t->name, sizeof(t->name), "%s", c->name); /* shorter */
		t->cgroup = *cgroup;
		err = d->ops->found(d->ctx, t);
	}
	if (err) {
		cgroup_close(cgroup);
		free(t);
		return err;
	}
	if (d->execs)
		execs_ignore(d->execs, c->cgroup_id);
	if (d->exec_ns)
		log_info("pod: watching container %s (%.12s, process %d), %.1f ms after its start",
			 c->name, c->id, (int)c->pid, (double)(uv_hrtime() - d->exec_ns) / 1e6);
	else
		log_info("pod: watching container %s (%.12s, process %d)", c->name, c->id,
			 (int)c->pid);
	return 0;
}

static void on_gone(void *ctx, const struct container *c)
{
	struct discovery *d = ctx;

	log_info("pod: container %s (%.12s) has ended", c->name, c->id);
	d->ops->ended(d->ctx, c->cgroup_id);
	if (d->execs)
		execs_watch(d->execs, c->cgroup_id);
	if (d->proc_poller)
		proc_poller_hurry(d->proc_poller);
}

static const struct containers_ops container_ops = {.found = on_found, .gone = on_gone};

static void on_ends(uv_poll_t *poll, int status, int events)
{
	struct discovery *d = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	containers_read(d->containers);
}

static void later(void *ctx, pid_t pid)
{
	struct discovery *d = ctx;

	if (d->proc_poller)
		proc_poller_later(d->proc_poller, pid);
	else if (!uv_is_active((uv_handle_t *)&d->timer))
		(void)uv_timer_start(&d->timer, on_timer, LATER_MS, 0); /* has a callback */
}

static void on_timer(uv_timer_t *timer)
{
	struct discovery *d = timer->data;

	containers_scan(d->containers, LOOK_LAST, later, d);
}

static void scan(struct discovery *d)
{
	containers_scan(d->containers, LOOK_EARLY, later, d);
}

static void on_exec(void *ctx, pid_t pid, uint64_t cgroup, uint64_t time_ns)
{
	struct discovery *d = ctx;

	d->exec_ns = time_ns;
	if (containers_look(d->containers, pid, LOOK_EXEC) == -EAGAIN)
		later(d, pid);
	else
		execs_ignore(d->execs, cgroup);
	d->exec_ns = 0;
}

static int on_process(void *ctx, pid_t pid, bool is_last)
{
	struct discovery *d = ctx;

	return containers_look(d->containers, pid, is_last ? LOOK_LAST : LOOK_EARLY);
}

static void on_starts(uv_poll_t *poll, int status, int events)
{
	struct discovery *d = poll->data;

	(void)status;
	(void)events;
	if (d->execs ? execs_read(d->execs, on_exec, d)
		     : proc_poller_read(d->proc_poller, on_process, d))
		scan(d);
}

/* Before the first look, so that nothing starts unseen in between. */
static int open_starts(struct discovery *d)
{
	int err = execs_new(&d->execs);

	if (!err)
		return 0;
	log_warn("pod: starts of containers cannot be traced (%s); they are looked for",
		 strerror(-err));
	d->proc_poller = proc_poller_new();
	return d->proc_poller ? 0 : -ENOMEM;
}

int discovery_start_with(struct discovery *d, uv_loop_t *loop, const struct discovery_ops *ops,
			 void *ctx, const char *only)
{
	int err = -ENOMEM;

	*d = (struct discovery){.ops = ops, .ctx = ctx};
	d->containers = containers_new(only, &container_ops, d);
	if (d->containers)
		err = open_starts(d);
	if (err) {
		log_error("pod: cannot look for containers (%s)", strerror(-err));
		containers_free(d->containers);
		*d = (struct discovery){0};
		return err;
	}
	(void)uv_timer_init(loop, &d->timer); /* cannot fail */
	/* Descriptors of epoll instances, ours: these cannot fail either. */
	(void)uv_poll_init(loop, &d->ends, containers_fd(d->containers));
	(void)uv_poll_init(loop, &d->starts,
			   d->execs ? execs_fd(d->execs) : proc_poller_fd(d->proc_poller));
	d->timer.data = d->starts.data = d->ends.data = d;
	scan(d);
	(void)uv_poll_start(&d->ends, UV_READABLE, on_ends);
	(void)uv_poll_start(&d->starts, UV_READABLE, on_starts);
	if (containers_watched(d->containers) == 0)
		log_info("pod: no container to watch yet");
	return 0;
}

static int attach_to(void *ctx, struct target *target)
{
	int err = targets_add(ctx, target);

	if (err)
		hooks_log_refusal(target->cgroup.fd, target->cgroup.path, err);
	return err;
}

static void end_target(void *ctx, uint64_t cgroup_id)
{
	targets_end(ctx, cgroup_id);
}

int discovery_start(struct discovery *d, uv_loop_t *loop, struct targets *targets, const char *only)
{
	static const struct discovery_ops to_targets = {.found = attach_to, .ended = end_target};

	return discovery_start_with(d, loop, &to_targets, targets, only);
}

void discovery_stop(struct discovery *d)
{
	if (!d->containers)
		return;
	uv_close((uv_handle_t *)&d->timer, NULL);
	uv_close((uv_handle_t *)&d->starts, NULL);
	uv_close((uv_handle_t *)&d->ends, NULL);
	/* libuv has let go of the descriptors when uv_close() returns. */
	containers_free(d->containers);
	execs_free(d->execs);
	proc_poller_free(d->proc_poller);
	d->containers = NULL;
	d->execs = NULL;
	d->proc_poller = NULL;
}
