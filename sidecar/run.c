/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wiring: target, ring, engine, sinks and exporters on one loop.
 *
 * Order matters at both ends. At the start everything is attached before CMD
 * is let go. At the end the ring is drained and detached first, then the last
 * push goes out with the final numbers, then the table is printed.
 */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/resident.h"
#include "pod/privilege.h"
#include "capture/ring.h"
#include "discovery.h"
#include "export/push.h"
#include "export/scrape.h"
#include "export/table.h"
#include "labels.h"
#include "live.h"
#include "metrics/red.h"
#include "metrics/self.h"
#include "metrics/summary.h"
#include "pod/place.h"
#include "pod/spawn.h"
#include "pod/target.h"
#include "reader.h"
#include "targets.h"
#include "txn/engine.h"

#define EXIT_USE 2

/* Of the promise to be gone three seconds after SIGTERM, what the last push may take. */
#define STOP_DEADLINE_MS 2500

/* Methods times routes that the table at the end has room for. */
#define SUMMARY_ROWS 200

struct run {
	const struct options *o;
	uv_loop_t loop;
	struct target *target; /* that was named; owned until it is one of targets */
	struct targets targets;
	bool has_targets;
	struct discovery discovery;
	struct source *source;
	struct reader reader;
	bool has_reader;
	struct registry *registry;
	struct red *red;
	struct self *self;
	struct summary *summary;
	struct engine *engine;
	struct scrape *scrape;
	struct push *push;
	struct live live;
	struct spawn spawn;
	bool has_spawn;
	uv_poll_t spawn_poll;
	uv_signal_t signals[3];
	uv_timer_t end_timer;
	struct labels labels;
	uint64_t started_ns;
	bool is_stopping;
};

static void on_event(void *ctx, const struct event *ev)
{
	struct run *r = ctx;

	if (ev->kind == EVENT_CLOSE)
		self_tcp_close(r->self, &ev->close);
	engine_event(r->engine, ev);
}

/* The kernel half asked where frames start; an answer that cannot be given is asked for again. */
static void on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	scoped_privilege int raised = privilege_raise();
	struct run *r = ctx;

	(void)raised;
	(void)ring_answer(r->source, conn_id, dir, seq);
}

/* Before anybody reads the registry: all that has happened is in it. */
static void refresh(void *ctx)
{
	struct run *r = ctx;

	if (r->has_reader)
		reader_drain(&r->reader);
	if (r->has_targets)
		targets_refresh(&r->targets);
	red_active(r->red, engine_actives(r->engine), ACTIVE_CELLS + 1);
	if (r->source)
		self_ring(r->self, ring_malformed(r->source), ring_answers(r->source));
	if (r->scrape)
		self_scrape(r->self, scrape_evicted(r->scrape));
	self_refresh(r->self, engine_stats(r->engine), r->push ? push_stats(r->push) : NULL);
}

static const char *unready(void *ctx)
{
	const struct run *r = ctx;

	return r->has_reader ? NULL : "not attached";
}

static void close_all(struct run *r)
{
	r->push = NULL;
	scrape_close(r->scrape);
	r->scrape = NULL;
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&r->signals[i], NULL);
	uv_close((uv_handle_t *)&r->end_timer, NULL);
	targets_close(&r->targets);
	r->has_targets = false;
	if (r->has_spawn)
		uv_close((uv_handle_t *)&r->spawn_poll, NULL);
}

static void on_push_done(void *ctx)
{
	struct run *r = ctx;

	push_close(r->push);
	close_all(r);
}

static void stop(struct run *r)
{
	if (r->is_stopping)
		return;
	r->is_stopping = true;
	live_stop(&r->live);
	refresh(r);
	reader_stop(&r->reader);
	r->has_reader = false;
	discovery_stop(&r->discovery);
	targets_detach(&r->targets);
	/* What was seen between the last drain and the end. */
	(void)source_drain(r->source, on_event, r);
	engine_flush(r->engine, uv_hrtime());
	if (r->push)
		push_stop(r->push, STOP_DEADLINE_MS, on_push_done, r);
	else
		close_all(r);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	stop(handle->data);
}

static void on_end_timer(uv_timer_t *timer)
{
	struct run *r = timer->data;

	if (r->has_spawn)
		spawn_signal(&r->spawn, SIGTERM); /* its end is ours */
	else
		stop(r);
}

static void on_spawn(uv_poll_t *poll, int status, int events)
{
	struct run *r = poll->data;

	(void)status; /* an error shows as readable */
	(void)events;
	if (spawn_read(&r->spawn) == SPAWN_ENDED) {
		(void)uv_poll_stop(poll); /* cannot fail on an active handle */
		stop(r);
	}
}

/* What was named: nothing in a Pod, whose containers are found later. */
static int open_target(struct run *r)
{
	const struct options *o = r->o;
	int err;

	if (!o->argv && !o->pid && !o->cgroup)
		return place_check();
	r->target = malloc(sizeof(*r->target));
	if (!r->target) {
		log_error("run: out of memory");
		return -ENOMEM;
	}
	err = o->argv  ? target_create(r->target, o->argv[0])
	      : o->pid ? target_open_pid(r->target, (pid_t)o->pid)
		       : target_open_dir(r->target, o->cgroup);
	if (err) {
		free(r->target);
		r->target = NULL;
	}
	return err;
}

/* Everything that counts, from the registry to the engine. */
static int make_engine(struct run *r)
{
	const struct options *o = r->o;
	const char *error = "out of memory";

	r->registry = registry_new(o->series_cap);
	if (!r->registry)
		goto fail;
	r->red = red_new(r->registry, &(struct red_options){.wants_body_sizes = o->has_body_sizes});
	r->self = self_new(r->registry);
	r->summary = summary_new(o->has_summary ? SUMMARY_ROWS : 1);
	if (!r->red || !r->self || !r->summary)
		goto fail;
	r->engine = engine_new(&(struct engine_options){.conn_cap = o->conn_cap,
							.route_templates = o->routes,
							.route_cap = o->route_cap,
							.on_frame = on_frame,
							.frame_ctx = r},
			       &error);
	if (!r->engine)
		goto fail;
	engine_add_sink(r->engine, &red_sink, r->red);
	if (o->has_summary)
		engine_add_sink(r->engine, &summary_sink, r->summary);
	return 0;
fail:
	log_error("run: %s", error);
	return -EINVAL;
}

/* The named one, or those that there are. */
static int add_targets(struct run *r)
{
	struct target *t = r->target;
	int err;

	if (!t)
		return discovery_start(&r->discovery, &r->loop, &r->targets, r->o->containers);
	err = targets_add(&r->targets, t);
	if (err) {
		log_error("run: cannot attach to cgroup %s (%s); `sidelight doctor` says what is "
			  "missing",
			  t->cgroup.path, strerror(-err));
		return err;
	}
	r->target = NULL;
	return 0;
}

static int make_capture(struct run *r)
{
	int err;

	r->source = ring_new(r->o->ring_bytes);
	if (!r->source)
		return -EINVAL;
	targets_init(&r->targets, &r->loop, r->source, r->red, r->self);
	r->has_targets = true;
	err = add_targets(r);
	if (err)
		return err;
	err = reader_start(&r->reader, &r->loop, r->source, on_event, r);
	if (err) {
		log_error("run: cannot watch the ring (%s)", strerror(-err));
		return err;
	}
	r->has_reader = true;
	return 0;
}

static int make_exports(struct run *r)
{
	const struct options *o = r->o;
	const char *error = "";

	if (o->metrics_listen) {
		r->scrape =
			scrape_new(&r->loop,
				   &(struct scrape_options){.listen = o->metrics_listen,
							    .registry = r->registry,
							    .labels = r->labels.common,
							    .label_count = r->labels.common_count,
							    .before = refresh,
							    .unready = unready,
							    .ctx = r},
				   &error);
		if (!r->scrape) {
			log_error("run: --metrics-listen %s: %s", o->metrics_listen, error);
			return -EINVAL;
		}
		log_info("run: serving /metrics on port %u", scrape_port(r->scrape));
	}
	if (o->push) {
		r->push = push_new(
			&r->loop,
			&(struct push_options){.url = o->push,
					       .interval_ms = o->push_interval_ms,
					       .timeout_ms = o->push_timeout_ms,
					       .keeps_on_exit = o->push_on_exit == ON_EXIT_KEEP,
					       .ca = o->push_ca,
					       .cert = o->push_cert,
					       .key = o->push_key,
					       .user_file = o->push_user_file,
					       .token_file = o->push_token_file,
					       .group = r->labels.group,
					       .group_count = r->labels.group_count,
					       .labels = r->labels.common,
					       .label_count = r->labels.common_count,
					       .registry = r->registry,
					       .before = refresh,
					       .ctx = r},
			&error);
		if (!r->push) {
			/* Without the URL: it may hold a password. */
			log_error("run: --push: %s", error);
			return -EINVAL;
		}
	}
	return 0;
}

/* From here on capabilities are in force only while something is attached. CMD has its processes,
 * whose owner may be anybody, signalled by us. */
static int lower(struct run *r)
{
	int err = r->has_spawn ? 0 : privilege_lower();

	if (err)
		log_error("run: cannot give up capabilities (%s)", strerror(-err));
	return err;
}

/* Signals, the time limit, and CMD: what ends the run. */
static int watch_ends(struct run *r)
{
	/* With CMD, signals are CMD's: pod/spawn.h. */
	static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		(void)uv_signal_init(&r->loop, &r->signals[i]); /* cannot fail after the first */
		r->signals[i].data = r;
		if (!r->has_spawn)
			(void)uv_signal_start(&r->signals[i], on_signal, signals[i]);
	}
	(void)uv_timer_init(&r->loop, &r->end_timer); /* cannot fail */
	r->end_timer.data = r;
	if (r->o->for_ms)
		(void)uv_timer_start(&r->end_timer, on_end_timer, r->o->for_ms, 0);
	if (r->has_spawn) {
		(void)uv_poll_init(&r->loop, &r->spawn_poll, r->spawn.fd); /* an epoll fd: can */
		r->spawn_poll.data = r;
		return uv_poll_start(&r->spawn_poll, UV_READABLE, on_spawn);
	}
	return 0;
}

static void print_summary(struct run *r)
{
	struct text out;

	text_init(&out);
	table_add(&out, r->summary, uv_hrtime() - r->started_ns);
	(void)fputs(out.ptr, stderr); /* nobody to tell if standard error is closed */
	text_release(&out);
}

static void release(struct run *r)
{
	if (r->has_reader)
		reader_stop(&r->reader);
	if (r->has_targets) {
		discovery_stop(&r->discovery);
		targets_close(&r->targets);
	}
	live_stop(&r->live);
	scrape_close(r->scrape);
	push_close(r->push);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT); /* lets closed handles go */
	(void)uv_loop_close(&r->loop);
	if (r->has_spawn)
		spawn_close(&r->spawn);
	engine_free(r->engine);
	summary_free(r->summary);
	self_free(r->self);
	red_free(r->red);
	registry_free(r->registry);
	source_free(r->source);
	targets_release(&r->targets);
	labels_release(&r->labels);
	if (r->target)
		target_close(r->target);
	free(r->target);
}

int command_run(const struct options *o)
{
	struct run r = {.o = o, .live.fd = -1};
	int status = EXIT_USE;
	int err;

	if (open_target(&r))
		return EXIT_USE;
	/* Forked before anything is open or has threads. */
	if (o->argv) {
		err = spawn_start(&r.spawn, o->argv, &r.target->cgroup);
		if (err) {
			log_error("run: cannot start %s (%s)", o->argv[0], strerror(-err));
			target_close(r.target);
			free(r.target);
			return EXIT_USE;
		}
		r.has_spawn = true;
	}
	/* A scraper or gateway that goes away is an error of one write. CMD has its own. */
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
	if (uv_loop_init(&r.loop)) {
		log_error("run: out of memory");
		return EXIT_USE;
	}
	if (labels_init(&r.labels, o) || make_engine(&r) || make_capture(&r) || make_exports(&r) ||
	    lower(&r))
		goto out;
	live_start(&r.live, &r.loop, o, r.engine, r.push);
	r.started_ns = uv_hrtime();
	if (r.has_spawn) {
		err = spawn_go(&r.spawn);
		if (err) {
			log_error("run: %s: %s", o->argv[0], strerror(-err));
			status = r.spawn.exit_code;
			goto out;
		}
	}
	err = watch_ends(&r);
	if (err) {
		log_error("run: cannot watch the program (%s)", strerror(-err));
		stop(&r);
	}
	resident_trim();
	(void)uv_run(&r.loop, UV_RUN_DEFAULT); /* ends when everything is closed */
	status = r.has_spawn ? r.spawn.exit_code : 0;
	if (o->has_summary)
		print_summary(&r);
out:
	release(&r);
	return status;
}
