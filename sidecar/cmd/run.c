/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wiring: source, engine, sinks and exporters on one loop, in the worker; what
 * needs capabilities is the broker's (broker/broker.h).
 *
 * Order matters at both ends. At the start everything is attached, and read,
 * before CMD is let go. At the end the source is drained and detached first,
 * then the last push goes out with the final numbers, then the table is
 * printed.
 */
#include "cmd/run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "agent/annotations.h"
#include "agent/debug_log.h"
#include "agent/labels.h"
#include "agent/live.h"
#include "agent/no_requests_log.h"
#include "agent/reader.h"
#include "base/log.h"
#include "base/push_url.h"
#include "base/resident.h"
#include "broker/broker.h"
#include "broker/link.h"
#include "capture/source.h"
#include "cmd/control_socket.h"
#include "cmd/run_options.h"
#include "export/closing.h"
#include "export/push.h"
#include "export/scrape.h"
#include "metrics/no_requests.h"
#include "metrics/red.h"
#include "metrics/self_metrics.h"
#include "metrics/summary.h"
#include "metrics/watch.h"
#include "pod/memory_cgroup.h"
#include "pod/network.h"
#include "pod/sandbox.h"
#include "txn/engine.h"
#include "txn/route_doubt.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* Of the promise to be gone three seconds after SIGTERM, what the last push may take. */
#define STOP_DEADLINE_MS 2500

/* Methods times routes that the table at the end has room for. */
#define SUMMARY_ROWS 200

struct run {
	const struct options *o;
	uv_loop_t loop;
	struct link link;
	struct source *source;
	struct reader reader;
	struct registry *registry;
	struct red *red;
	struct self_metrics *self;
	struct watch *watch;
	struct family *no_requests;
	struct no_requests_world world;
	struct no_requests_log no_requests_log;
	struct summary *summary;
	struct engine *engine;
	struct live live;
	struct scrape *scrape;
	struct push *push;
	struct annotations annotations;
	struct labels labels;
	int memory_fd; /* what our memory cgroup is charged; -1: there is none */
	uint64_t started_ns;
	bool is_stopping;
	bool is_lost; /* the broker is gone */
	unsigned watched; /* cgroups */
};

static void on_open(struct run *r, const struct event_open *open)
{
	/* Announced before it was attached to: the message is in the channel. */
	if (open->container > r->link.highest)
		link_catch_up(&r->link);
	if (open->role == ROLE_UNKNOWN)
		watch_joined(r->watch);
}

static void on_event(void *ctx, const struct event *ev)
{
	struct run *r = ctx;

	if (ev->kind == EVENT_OPEN)
		on_open(r, &ev->open);
	if (ev->kind != EVENT_DATA && log_has(LOG_LEVEL_DEBUG))
		debug_log_event(ev);
	if (ev->kind == EVENT_CLOSE)
		self_metrics_tcp_close(r->self, &ev->close);
	engine_event(r->engine, ev);
}

/* An event asked where frames start. An answer that is dropped is asked for again. */
static void on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct run *r = ctx;

	(void)source_answer(r->source, conn_id, dir, seq);
}

static void on_target(void *ctx, uint64_t number, const char *name)
{
	struct run *r = ctx;

	if (red_container(r->red, number, name))
		log_error("run: out of memory; container %s has no name in the metrics", name);
}

static void on_counters(void *ctx, uint64_t number, const char *name, const uint64_t *counters)
{
	struct run *r = ctx;

	on_target(ctx, number, name); /* it is still watched */
	self_metrics_kernel(r->self, number, name, counters);
}

static void on_watched(void *ctx, unsigned count)
{
	struct run *r = ctx;

	r->watched = count;
	watch_cgroups(r->watch, count);
}

static void on_unseen(void *ctx, const char *name, const uint32_t *now, const uint32_t *added)
{
	struct run *r = ctx;

	watch_unseen(r->watch, name, now, added);
}

static void on_looks(void *ctx, uint64_t count, uint64_t cut)
{
	struct run *r = ctx;

	watch_looks(r->watch, count, cut);
}

static void on_usage(void *ctx, const struct usage *broker)
{
	struct run *r = ctx;

	self_metrics_broker(r->self, broker);
}

/* Before anybody reads the registry: all that has happened is in it. */
static void refresh(void *ctx)
{
	struct run *r = ctx;

	self_metrics_collect(r->self);
	reader_drain(&r->reader);
	if (reader_is_running(&r->reader))
		link_refresh(&r->link);
	r->world = (struct no_requests_world){self_metrics_connections(r->self),
					      watch_unseen_now(r->watch)};
	no_requests_set(r->no_requests, no_requests_reason(engine_stats(r->engine), &r->world));
	red_active(r->red, engine_actives(r->engine), ACTIVE_CELLS + 1);
	if (r->source)
		self_metrics_source(r->self, source_counters(r->source));
	if (r->scrape)
		self_metrics_scrape(r->self, scrape_stats(r->scrape));
	live_refresh(&r->live);
	self_metrics_memory(r->self, memory_cgroup_read_usage(r->memory_fd));
	self_metrics_refresh(r->self, engine_stats(r->engine),
			     r->push ? push_stats(r->push) : NULL);
}

static const char *unready(void *ctx)
{
	const struct run *r = ctx;

	if (!reader_is_running(&r->reader))
		return "not attached";
	/* A Pod may be made ready before its first container starts. */
	if (!r->watched && (r->o->cgroup || r->o->pid))
		return "the cgroup does not exist now, or others hold its hooks";
	return NULL;
}

static void close_all(struct run *r)
{
	r->push = NULL;
	live_stop(&r->live);
	scrape_close(r->scrape);
	r->scrape = NULL;
	link_stop(&r->link);
}

static void on_push_done(void *ctx)
{
	struct run *r = ctx;

	push_close(r->push);
	close_all(r);
}

static void stop(void *ctx, bool is_lost)
{
	struct run *r = ctx;

	if (r->is_stopping)
		return;
	r->is_stopping = true;
	r->is_lost = is_lost;
	annotations_stop(&r->annotations);
	no_requests_log_stop(&r->no_requests_log);
	refresh(r);
	reader_stop(&r->reader);
	link_detach(&r->link);
	/* What was seen between the last drain and the end. */
	(void)source_drain(r->source, on_event, r);
	engine_flush(r->engine, uv_hrtime());
	if (r->push)
		push_stop(r->push, STOP_DEADLINE_MS, on_push_done, r);
	else
		close_all(r);
}

static const struct link_ops link_ops = {
	.target = on_target,
	.counters = on_counters,
	.watched = on_watched,
	.unseen = on_unseen,
	.looks = on_looks,
	.usage = on_usage,
	.stop = stop,
};

static void warn_of_route(struct span template, const char *why)
{
	log_warn("run: route template %.*s: %s", SPAN_ARG(template), why);
}

/* Everything that counts, from the registry to the engine. */
static int make_engine(struct run *r)
{
	const struct options *o = r->o;
	const struct run_memory memory = run_options_memory(o);
	const char *error = "out of memory";

	r->registry = registry_new(o->series_cap);
	if (!r->registry)
		goto fail;
	r->red = red_new(r->registry, &(struct red_options){.wants_body_sizes = o->has_body_sizes});
	r->self = self_metrics_new(r->registry);
	r->watch = watch_new(r->registry);
	r->no_requests = no_requests_family(r->registry);
	r->summary = summary_new(o->has_summary ? SUMMARY_ROWS : 1);
	if (!r->red || !r->self || !r->watch || !r->no_requests || !r->summary)
		goto fail;
	r->engine = engine_new(&(struct engine_options){.conn_cap = o->conn_cap,
							.memory_cap = memory.connections,
							.route_templates = o->routes,
							.route_cap = o->route_cap,
							.on_frame = on_frame,
							.frame_ctx = r},
			       &error);
	if (!r->engine)
		goto fail;
	if (live_init(&r->live, &(struct live_options){.registry = r->registry,
						       .engine = r->engine,
						       .red = r->red,
						       .reader = &r->reader,
						       .recent = memory.recorder_recent}))
		goto fail;
	self_metrics_reserve(r->self, memory.recorder);
	/* There is room for these. */
	(void)engine_add_sink(r->engine, &red_sink, r->red);
	if (o->has_summary)
		(void)engine_add_sink(r->engine, &summary_sink, r->summary);
	if (log_has(LOG_LEVEL_DEBUG))
		(void)engine_add_sink(r->engine, &debug_log_sink, NULL);
	route_doubts(o->routes, warn_of_route);
	return 0;
fail:
	log_error("run: %s", error);
	return -EINVAL;
}

/* In a Pod: what was missed. A connection that is made just now may be watched, and here too. */
static void count_before(struct run *r)
{
	const struct options *o = r->o;
	uint64_t count;

	if (o->argv || o->pid || o->cgroup || network_connections("", &count))
		return;
	watch_before(r->watch, count);
	if (count)
		log_info("pod: %" PRIu64
			 " TCP connections of this Pod are older than the watch: what "
			 "was asked on them before is not counted",
			 count);
}

/* Waits for the broker. Returns 0, or negative errno after one log line of either process. */
static int open_capture(struct run *r)
{
	int err = link_open_source(&r->link, &r->source);

	if (err)
		return err;
	count_before(r);
	err = reader_start(&r->reader, &r->loop, r->source, on_event, r);
	if (err) {
		log_error("run: cannot wait for events (%s)", strerror(-err));
		return err;
	}
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
							    .label_count = r->labels.scraped_count,
							    .max_age_ms = o->metrics_age_ms,
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
	/* Without the URL, here and below: it may hold a password. */
	if (o->is_push_refused)
		log_warn("run: SIDELIGHT_PUSH is not " PUSH_URL_WANTED ": nothing is pushed");
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
			log_error("run: --push: %s", error);
			return -EINVAL;
		}
	}
	return 0;
}

static void follow_annotations(struct run *r)
{
	annotations_start(&r->annotations, &r->loop,
			  &(struct annotations_options){.podinfo = r->o->podinfo,
							.start = run_options_settings(r->o),
							.set = run_options_annotate,
							.ctx = (void *)r->o,
							.engine = r->engine,
							.push = r->push});
}

/* What the worker still has to read when it can open nothing else. */
static int enter_sandbox(const struct options *o)
{
	char podinfo[PATH_MAX];
	const char *const files[] = {podinfo,	  o->push_ca,	     o->push_cert,
				     o->push_key, o->push_user_file, o->push_token_file};

	(void)snprintf(podinfo, sizeof(podinfo), "%s/annotations", o->podinfo); /* cut: not read */
	return sandbox_enter(files, sizeof(files) / sizeof(files[0]));
}

static void release(struct run *r)
{
	if (reader_is_running(&r->reader))
		reader_stop(&r->reader);
	annotations_stop(&r->annotations);
	no_requests_log_stop(&r->no_requests_log);
	live_stop(&r->live);
	scrape_close(r->scrape);
	push_close(r->push);
	link_stop(&r->link);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT); /* lets closed handles go */
	(void)uv_loop_close(&r->loop);
	engine_free(r->engine);
	live_release(&r->live);
	summary_free(r->summary);
	watch_free(r->watch);
	self_metrics_free(r->self);
	red_free(r->red);
	registry_free(r->registry);
	source_free(r->source);
	labels_release(&r->labels);
	link_close(&r->link);
	if (r->memory_fd >= 0)
		(void)close(r->memory_fd); /* nothing was written */
}

struct run_context {
	const struct options *o;
	struct control_socket control;
};

/* The worker's process: see broker/broker.h. */
static int work(void *ctx, int channel)
{
	const struct run_context *context = ctx;
	const struct options *o = context->o;
	struct run r = {.o = o, .annotations.fd = -1, .memory_fd = memory_cgroup_open_usage()};
	const struct label_options labels = run_options_labels(o);
	int status = EXIT_USE;

	link_init(&r.link, channel, &link_ops, &r);
	if (sandbox_begin() || uv_loop_init(&r.loop)) {
		log_error("run: out of memory, or no seccomp in this kernel");
		return EXIT_USE;
	}
	if (labels_init(&r.labels, &labels) || make_engine(&r) || open_capture(&r) ||
	    make_exports(&r))
		goto out;
	if (context->control.fd >= 0 && live_listen(&r.live, &r.loop, context->control.fd))
		goto out;
	follow_annotations(&r);
	no_requests_log_start(&r.no_requests_log, &r.loop, r.engine, &r.world, refresh, &r);
	r.started_ns = uv_hrtime();
	(void)usage_read(); /* for the first time, while /proc can be opened */
	resident_trim();
	if (enter_sandbox(o))
		goto out;
	link_start(&r.link, &r.loop);
	link_ready(&r.link);
	(void)uv_run(&r.loop, UV_RUN_DEFAULT); /* ends when everything is closed */
	status = r.is_lost ? EXIT_INCOMPLETE : 0;
	if (r.is_lost)
		goto out;
	if (o->has_summary)
		closing_summary(r.summary, uv_hrtime() - r.started_ns, engine_stats(r.engine),
				&r.world);
	else if (!o->metrics_listen && !o->push) /* it gives its numbers to nobody */
		closing_unseen(engine_stats(r.engine), &r.world);
out:
	release(&r);
	return status;
}

int command_run(const struct options *o)
{
	const struct broker_options bo = {.argv = o->argv,
					  .pid = o->pid,
					  .cgroup = o->cgroup,
					  .containers = o->containers,
					  .for_ms = o->for_ms,
					  .ring_bytes = o->ring_bytes,
					  .conn_cap = o->conn_cap};
	struct run_context context = {.o = o};
	int status;

	if (control_socket_open(&context.control, o))
		return EXIT_USE;
	status = broker_run(&bo, work, &context);
	control_socket_close(&context.control);
	return status;
}
