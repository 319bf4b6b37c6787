/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process: it loads and attaches with its capabilities, lowers them while it waits, reads the
 * counts, gives the capabilities up, and only then formats the names that strangers have chosen.
 *
 * Nothing but fixed-size structs comes from the kernel, so there is nothing to parse before that.
 */
#include "cmd/syscalls.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/terminal.h"
#include "broker/discovery.h"
#include "capture/syscall_cost.h"
#include "capture/syscalls.h"
#include "cmd/syscall_text.h"
#include "pod/place.h"
#include "pod/privilege.h"
#include "pod/spawn.h"
#include "pod/target.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

#define SIGNALS 3

struct counting {
	const struct options *o;
	uv_loop_t loop;
	struct syscalls *syscalls;
	struct target target; /* cgroup.fd -1: the containers of a Pod */
	struct discovery discovery;
	char (*containers)[TARGET_NAME_MAX]; /* by number, which begins at 1 */
	uint32_t container_count;
	struct spawn spawn;
	bool has_spawn;
	uv_poll_t spawn_poll;
	uv_signal_t signals[SIGNALS];
	uv_timer_t timer; /* --for */
	struct syscall_cost before;
	struct syscall_cost during;
	uint64_t begin_ns;
	double seconds;
	struct syscall_counts *counts;
};

static bool has_named_target(const struct options *o)
{
	return o->argv || o->pid || o->cgroup;
}

static int open_target(struct counting *c)
{
	const struct options *o = c->o;

	c->target.cgroup.fd = -1;
	if (!has_named_target(o))
		return place_check();
	return o->argv	? target_create(&c->target, o->argv[0])
	       : o->pid ? target_open_pid(&c->target, (pid_t)o->pid)
			: target_open_dir(&c->target, o->cgroup);
}

/* One line for the usual reasons. */
static void log_refusal(int err)
{
	static const struct {
		cap_value_t which;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_PERFMON, "CAP_PERFMON"}};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!privilege_has(needed[i].which)) {
			log_error("syscalls: %s is needed and missing; \"sidelight doctor\" shows "
				  "all that is",
				  needed[i].name);
			return;
		}
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		log_error("syscalls: this kernel has no BTF (/sys/kernel/btf/vmlinux: %s), which "
			  "this command needs",
			  strerror(errno));
	else
		log_error("syscalls: the kernel refuses the programs (%s); run with --log-level "
			  "debug to see what it says",
			  strerror(-err));
}

static int load(struct counting *c)
{
	int err = privilege_has(CAP_BPF) && privilege_has(CAP_PERFMON) ? 0 : -EPERM;

	if (!err)
		err = syscalls_new(&c->syscalls,
				   &(struct syscalls_options){.max_rows = (uint32_t)c->o->row_cap,
							      .begins_at_exec = c->o->argv});
	if (err)
		log_refusal(err);
	return err;
}

/* A container of the Pod: its cgroup is kept by the programs' map, and not needed here. */
static int on_container(void *ctx, struct target *target)
{
	struct counting *c = ctx;
	uint32_t number = c->container_count + 1;
	char(*more)[TARGET_NAME_MAX] = realloc(c->containers, number * sizeof(*more));
	int err = more ? 0 : -ENOMEM;

	if (more)
		c->containers = more;
	if (!err)
		err = syscalls_add(c->syscalls, target->cgroup.fd, target->cgroup.id, number);
	if (err)
		return err;
	memcpy(more[number - 1], target->name, sizeof(*more));
	c->container_count = number;
	target_close(target);
	free(target);
	return 0;
}

static void on_container_end(void *ctx, uint64_t cgroup_id)
{
	struct counting *c = ctx;

	syscalls_remove(c->syscalls, cgroup_id);
}

static int add_targets(struct counting *c)
{
	static const struct discovery_ops ops = {.found = on_container, .ended = on_container_end};
	const struct cgroup *cg = &c->target.cgroup;
	int err;

	if (!has_named_target(c->o))
		return discovery_start_with(&c->discovery, &c->loop, &ops, c, c->o->containers);
	err = syscalls_add(c->syscalls, cg->fd, cg->id, 1);
	if (err)
		log_error("syscalls: cgroup %s cannot be counted (%s)", cg->path, strerror(-err));
	return err;
}

static int attach(struct counting *c)
{
	int err;

	c->before = syscall_cost_measure();
	err = syscalls_attach(c->syscalls);
	if (err) {
		log_refusal(err);
		return err;
	}
	c->during = syscall_cost_measure();
	c->begin_ns = uv_hrtime();
	return 0;
}

static uint64_t filter_ns(const struct counting *c)
{
	return syscall_cost_added(c->before.any_ns, c->during.any_ns);
}

static uint64_t network_filter_ns(const struct counting *c)
{
	return syscall_cost_added(c->before.network_ns, c->during.network_ns);
}

static void announce(const struct counting *c)
{
	const struct options *o = c->o;

	log_info("syscalls: counting %s%s for at most %" PRIu64 " s; every system call of this "
		 "node passes a filter meanwhile, which takes %" PRIu64 " ns (%" PRIu64
		 " ns for network calls of others)",
		 has_named_target(o) ? "cgroup " : "the containers of this Pod",
		 has_named_target(o) ? c->target.cgroup.path : "", (o->for_ms + 999) / 1000,
		 filter_ns(c), network_filter_ns(c));
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct counting *c = handle->data;

	(void)signum;
	uv_stop(&c->loop);
}

static void on_timer(uv_timer_t *timer)
{
	scoped_privilege int raised = privilege_raise();
	struct counting *c = timer->data;

	if (c->has_spawn)
		spawn_end(&c->spawn); /* its end is ours */
	else
		uv_stop(&c->loop);
}

static void on_spawn(uv_poll_t *poll, int status, int events)
{
	scoped_privilege int raised = privilege_raise();
	struct counting *c = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	if (spawn_read(&c->spawn) == SPAWN_ENDED)
		uv_stop(&c->loop);
}

static void start_handles(struct counting *c)
{
	/* With CMD, signals are CMD's: pod/spawn.h. */
	static const int signals[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < SIGNALS; i++) {
		(void)uv_signal_init(&c->loop, &c->signals[i]); /* cannot fail after the first */
		c->signals[i].data = c;
		if (!c->has_spawn)
			(void)uv_signal_start(&c->signals[i], on_signal, signals[i]);
	}
	(void)uv_timer_init(&c->loop, &c->timer); /* cannot fail */
	c->timer.data = c;
	if (!c->has_spawn)
		return;
	/* A descriptor that can be polled: this cannot fail either. */
	(void)uv_poll_init(&c->loop, &c->spawn_poll, c->spawn.fd);
	c->spawn_poll.data = c;
}

static void stop_handles(struct counting *c)
{
	discovery_stop(&c->discovery);
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&c->signals[i], NULL);
	uv_close((uv_handle_t *)&c->timer, NULL);
	if (c->has_spawn)
		uv_close((uv_handle_t *)&c->spawn_poll, NULL);
	(void)uv_run(&c->loop, UV_RUN_DEFAULT); /* ends when all are closed */
	(void)uv_loop_close(&c->loop); /* nothing is open any more */
}

/* CMD may go: everything is attached. Returns 0 or negative errno. */
static int go(struct counting *c)
{
	int err = privilege_lower(c->has_spawn);

	if (err)
		log_warn("syscalls: cannot give up capabilities (%s)", strerror(-err));
	announce(c);
	uv_update_time(&c->loop); /* loading has taken a while */
	(void)uv_timer_start(&c->timer, on_timer, c->o->for_ms, 0); /* has a callback */
	if (!c->has_spawn)
		return 0;
	err = spawn_go(&c->spawn);
	if (!err)
		err = uv_poll_start(&c->spawn_poll, UV_READABLE, on_spawn);
	if (err)
		log_error("syscalls: %s: %s", c->o->argv[0], strerror(-err));
	return err;
}

static int read_counts(struct counting *c)
{
	int err;

	c->seconds = (double)(uv_hrtime() - c->begin_ns) / 1e9;
	syscalls_detach(c->syscalls);
	err = syscalls_read(c->syscalls, &c->counts);
	if (err)
		log_error("syscalls: cannot read the counts (%s)", strerror(-err));
	return err;
}

/* Counts until the end. Returns 0, or the status to end with after one log line. */
static int count(struct counting *c)
{
	int err = uv_loop_init(&c->loop);

	if (err) {
		log_error("syscalls: out of memory");
		return EXIT_USE;
	}
	start_handles(c);
	err = add_targets(c);
	if (!err)
		err = attach(c);
	if (err) {
		stop_handles(c);
		return EXIT_USE;
	}
	err = go(c);
	if (!err)
		(void)uv_run(&c->loop, UV_RUN_DEFAULT); /* ends by uv_stop() */
	stop_handles(c);
	if (err)
		return c->spawn.exit_code;
	return read_counts(c) ? EXIT_INCOMPLETE : 0;
}

static const char *container_name(const void *ctx, uint32_t target)
{
	const struct counting *c = ctx;

	return target && target <= c->container_count ? c->containers[target - 1] : NULL;
}

static int print(const struct counting *c)
{
	const struct options *o = c->o;
	struct syscall_report report;
	struct syscall_text how = {
		.report = &report,
		.by = (enum syscall_by)o->by,
		.container = has_named_target(o) ? NULL : container_name,
		.ctx = c,
		.seconds = c->seconds,
		.lost = c->counts->lost,
		.of_32bit = c->counts->of_32bit,
		.filter_ns = filter_ns(c),
		.network_filter_ns = network_filter_ns(c),
	};
	struct text out;
	int err = syscall_report_make(&report, c->counts, how.by, (enum syscall_sort)o->sort);

	if (err)
		return err;
	text_init(&out);
	if (o->format == FORMAT_TABLE)
		syscall_table_add(&out, &how, terminal_columns(STDOUT_FILENO));
	else
		syscall_json_add(&out, &how, o->format == FORMAT_NDJSON);
	syscall_report_release(&report);
	if (out.has_failed)
		err = -ENOMEM;
	else if (fwrite(out.ptr, 1, out.len, stdout) != out.len || fflush(stdout))
		err = errno == EPIPE ? 0 : -errno; /* the reader has seen enough */
	text_release(&out);
	return err;
}

/* What was counted, without capabilities. Returns the status. */
static int report(const struct counting *c)
{
	int err = privilege_give_up(false);

	if (err) {
		log_error("syscalls: cannot give up capabilities (%s)", strerror(-err));
		return EXIT_INCOMPLETE;
	}
	err = print(c);
	if (err)
		log_error("syscalls: cannot print the counts (%s)", strerror(-err));
	if (c->counts->lost)
		log_warn("syscalls: %" PRIu64 " calls are missing: more threads than can be "
			 "followed",
			 c->counts->lost);
	return err || c->counts->lost ? EXIT_INCOMPLETE : 0;
}

static void release(struct counting *c)
{
	scoped_privilege int raised = privilege_raise();

	syscalls_free(c->syscalls);
	if (c->has_spawn)
		spawn_close(&c->spawn);
	target_close(&c->target);
}

int command_syscalls(const struct options *o)
{
	struct counting c = {.o = o};
	int status = EXIT_USE;

	if (open_target(&c))
		return EXIT_USE;
	if (o->argv) {
		int err = spawn_start(&c.spawn, o->argv, &c.target.cgroup);

		if (err)
			log_error("syscalls: cannot start %s (%s)", o->argv[0], strerror(-err));
		c.has_spawn = !err;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* CMD has its own; cannot fail */
	if ((!o->argv || c.has_spawn) && !load(&c))
		status = count(&c);
	release(&c);
	if (c.counts) {
		status = report(&c);
		if (c.has_spawn && c.spawn.exit_code)
			status = c.spawn.exit_code;
	}
	syscall_counts_free(c.counts);
	free(c.containers);
	return status;
}
