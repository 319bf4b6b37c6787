/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wiring: source, engine, sinks and exporters on one loop, in the worker; what
 * needs capabilities is the broker's (broker/broker.h).
 *
 * Order matters at both ends. At the start everything is attached, and read,
 * before CMD is let go. At the end the source is drained and detached first,
 * then the last push and the last export go out with the final numbers, then the table is
 * printed.
 */
#include "cmd/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "agent/annotations.h"
#include "agent/connections.h"
#include "agent/debug_log.h"
#include "agent/header_lists.h"
#include "agent/labels.h"
#include "agent/live.h"
#include "agent/no_requests_log.h"
#include "agent/reader.h"
#include "agent/request_metrics.h"
#include "agent/syscalls.h"
#include "agent/tls_keys.h"
#include "base/log.h"
#include "base/resident.h"
#include "broker/broker.h"
#include "broker/link.h"
#include "capture/source.h"
#include "cmd/control_socket.h"
#include "cmd/exports.h"
#include "cmd/run_options.h"
#include "export/closing.h"
#include "metrics/exponential_metrics.h"
#include "metrics/no_requests.h"
#include "metrics/self_metrics.h"
#include "metrics/summary.h"
#include "metrics/watch.h"
#include "pod/memory_cgroup.h"
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
	struct request_metrics requests;
	struct self_metrics *self;
	struct connections connections;
	struct watch *watch;
	struct exponential_metrics *exponentials;
	struct family *no_requests;
	struct no_requests_world world;
	struct no_requests_log no_requests_log;
	struct summary *summary;
	struct engine *engine;
	struct live live;
	struct syscalls_agent syscalls;
	struct exports exports;
	struct annotations annotations;
	struct labels labels;
	struct tls_keys_agent tls;
	struct header_lists_agent header_lists;
	int memory_fd; /* what our memory cgroup is charged; -1: there is none */
	uint64_t started_ns;
	bool is_stopping;
	bool is_lost; /* the broker is gone */
	bool awaits_refresh; /* what the ring has is read meanwhile */
	unsigned watched; /* cgroups */
};

static void on_open(struct run *r, const struct event_open *open)
{
	/* Announced before it was attached to: the message is in the channel. */
	if (open->container > r->link.highest)
		link_catch_up(&r->link);
	if (open->role == ROLE_UNKNOWN)
		watch_joined(r->watch);
	tls_keys_opened(&r->tls);
}

static void on_event(void *ctx, const struct event *ev)
{
	struct run *r = ctx;

	if (ev->kind == EVENT_OPEN)
		on_open(r, &ev->open);
	/* The broker may still have to send them. */
	if (r->tls.secrets && engine_needs_secrets(r->engine, ev) && reader_is_running(&r->reader))
		link_refresh(&r->link);
	if (ev->kind != EVENT_DATA && log_has(LOG_LEVEL_DEBUG))
		debug_log_event(ev);
	if (ev->kind == EVENT_CLOSE) {
		self_metrics_tcp_close(r->self, &ev->close);
		connections_closed(&r->connections, ev->id, &ev->close);
	}
	request_metrics_event(&r->requests, ev);
	engine_event(r->engine, ev);
}

/* An event asked where frames start. An answer that is dropped is asked for again. */
static void on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq)
{
	struct run *r = ctx;

	(void)source_answer(r->source, conn_id, dir, seq);
}

static void on_unneeded(void *ctx, uint64_t conn_id, enum sl_mute why)
{
	link_mute(&((struct run *)ctx)->link, conn_id, why);
}

static void on_hidden_field(void *ctx)
{
	header_lists_agent_want(&((struct run *)ctx)->header_lists);
}

static void on_target(void *ctx, uint64_t number, const char *name)
{
	struct run *r = ctx;

	watch_target(r->watch, name);
	if (red_container(r->requests.red, number, name))
		log_error("run: out of memory; container %s has no name in the metrics", name);
	tcp_sockets_container(r->connections.sockets, number);
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
	watch_unseen(((struct run *)ctx)->watch, name, now, added);
}

static void on_looks(void *ctx, uint64_t count, uint64_t cut)
{
	watch_looks(((struct run *)ctx)->watch, count, cut);
}

static void on_usage(void *ctx, const struct usage *broker)
{
	self_metrics_broker(((struct run *)ctx)->self, broker);
}

static void on_secrets(void *ctx, const struct sl_secret *secrets, size_t count)
{
	tls_keys_add(&((struct run *)ctx)->tls, secrets, count);
}

static void on_tls(void *ctx, enum tls_reach reach, uint32_t probes, uint64_t lost)
{
	tls_keys_reach(&((struct run *)ctx)->tls, reach, probes, lost);
}

static void on_sockets(void *ctx, const struct channel_socket *sockets, size_t count)
{
	connections_add(&((struct run *)ctx)->connections, sockets, count);
}

static void on_listed(void *ctx, bool is_new, bool is_cut)
{
	struct run *r = ctx;

	tcp_sockets_end(r->connections.sockets, is_new, is_cut);
	live_listed(&r->live);
}

static void on_syscalls(void *ctx, const struct channel_message *m)
{
	syscalls_agent_message(&((struct run *)ctx)->syscalls, m);
}

static void on_header_list(void *ctx, const struct channel_message *m)
{
	header_lists_agent_message(&((struct run *)ctx)->header_lists, m);
}

/* The broker attaches something, and takes its time: the ring would overflow. But on_event() waits
 * in the middle of reading it. */
static void on_waiting(void *ctx)
{
	struct run *r = ctx;
	bool awaits = r->awaits_refresh;

	r->awaits_refresh = false;
	if (awaits)
		reader_drain(&r->reader);
	r->awaits_refresh = awaits;
}

/* Before anybody reads the registry: all that has happened is in it. */
static void refresh(void *ctx)
{
	struct run *r = ctx;

	self_metrics_collect(r->self);
	reader_drain(&r->reader);
	if (reader_is_running(&r->reader)) {
		r->awaits_refresh = true;
		connections_refresh(&r->connections);
		link_refresh(&r->link);
		r->awaits_refresh = false;
	}
	tls_keys_refresh(&r->tls);
	header_lists_agent_refresh(&r->header_lists);
	r->world = (struct no_requests_world){self_metrics_connections(r->self),
					      watch_unseen_now(r->watch)};
	no_requests_set(r->no_requests, no_requests_reason(engine_stats(r->engine), &r->world));
	request_metrics_refresh(&r->requests, r->engine);
	if (r->source)
		self_metrics_source(r->self, source_counters(r->source));
	exports_refresh(&r->exports, r->self);
	live_refresh(&r->live);
	exponential_metrics_refresh(r->exponentials);
	self_metrics_memory(r->self, memory_cgroup_read_usage(r->memory_fd));
	self_metrics_refresh(r->self, engine_stats(r->engine),
			     r->exports.push ? push_stats(r->exports.push) : NULL);
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

static void close_all(void *ctx)
{
	struct run *r = ctx;

	live_stop(&r->live);
	exports_close(&r->exports);
	link_stop(&r->link);
	tls_keys_stop(&r->tls);
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
	exports_stop(&r->exports, STOP_DEADLINE_MS, close_all, r);
}

static const struct link_ops link_ops = {
	.target = on_target,
	.counters = on_counters,
	.watched = on_watched,
	.unseen = on_unseen,
	.looks = on_looks,
	.usage = on_usage,
	.secrets = on_secrets,
	.tls = on_tls,
	.sockets = on_sockets,
	.listed = on_listed,
	.syscalls = on_syscalls,
	.header_list = on_header_list,
	.waiting = on_waiting,
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
	struct request_metrics_options requests = run_options_request_metrics(o);
	const struct run_memory memory = run_options_memory(o);
	const char *error = "out of memory";

	r->registry = registry_new(o->series_cap);
	if (!r->registry)
		goto fail;
	registry_set_histograms(r->registry, (enum histogram_kind)o->histograms);
	requests.link = &r->link;
	r->self = self_metrics_new(r->registry);
	r->watch = watch_new(r->registry);
	r->exponentials = exponential_metrics_new(r->registry);
	r->no_requests = no_requests_family(r->registry);
	r->summary = summary_new(o->has_summary ? SUMMARY_ROWS : 1, SUMMARY_BY_ROUTE);
	if (request_metrics_init(&r->requests, r->registry, &requests) ||
	    connections_init(&r->connections, r->registry, r->requests.red) ||
	    tls_keys_init(&r->tls, r->registry, o->tls == OPTION_TLS_KEYS) ||
	    header_lists_agent_init(&r->header_lists, r->registry))
		goto fail;
	if (!r->self || !r->watch || !r->exponentials || !r->no_requests || !r->summary)
		goto fail;
	r->engine = engine_new(
		&(struct engine_options){.conn_cap = o->conn_cap,
					 .memory_cap = memory.connections,
					 .route_templates = o->routes,
					 .route_cap = o->route_cap,
					 .secrets = r->tls.secrets,
					 .has_live_secrets = true,
					 .on_frame = on_frame,
					 .on_unneeded = r->tls.secrets ? on_unneeded : NULL,
					 .on_hidden_field = on_hidden_field,
					 .source_ctx = r},
		&error);
	if (!r->engine)
		goto fail;
	if (live_init(&r->live, &(struct live_options){.registry = r->registry,
						       .engine = r->engine,
						       .connections = &r->connections,
						       .red = r->requests.red,
						       .syscalls = &r->syscalls,
						       .reader = &r->reader,
						       .recent = memory.recorder_recent,
						       .headers = run_options_settings(o).headers,
						       .forbids_headers = o->header_capture ==
									  OPTION_FORBIDDEN}))
		goto fail;
	syscalls_agent_init(&r->syscalls, r->registry, r->requests.red, &r->link);
	self_metrics_reserve(r->self, memory.recorder);
	connections_start(&r->connections, r->engine, &r->link);
	tls_keys_start(&r->tls, &r->loop, r->engine, &r->link);
	header_lists_agent_start(&r->header_lists, r->engine, &r->link);
	request_metrics_add_sink(&r->requests, r->engine);
	/* There is room for these. */
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

/* Waits for the broker. Returns 0, or negative errno after one log line of either process. */
static int open_capture(struct run *r)
{
	int err = link_open_source(&r->link, &r->source);

	if (err)
		return err;
	if (!r->o->argv && !r->o->pid && !r->o->cgroup)
		connections_count_before(r->watch);
	err = reader_start(&r->reader, &r->loop, r->source, on_event, r);
	if (err) {
		log_error("run: cannot wait for events (%s)", strerror(-err));
		return err;
	}
	return 0;
}

static int make_exports(struct run *r)
{
	return exports_open(&r->exports, &r->loop,
			    &(struct exports_options){.command_line = r->o,
						      .labels = &r->labels,
						      .registry = r->registry,
						      .before = refresh,
						      .unready = unready,
						      .ctx = r});
}

static void follow_annotations(struct run *r)
{
	annotations_start(&r->annotations, &r->loop,
			  &(struct annotations_options){.podinfo = r->o->podinfo,
							.start = run_options_settings(r->o),
							.set = run_options_annotate,
							.ctx = (void *)r->o,
							.engine = r->engine,
							.push = r->exports.push,
							.live = &r->live,
							.syscalls = &r->syscalls});
}

static void release(struct run *r)
{
	if (reader_is_running(&r->reader))
		reader_stop(&r->reader);
	annotations_stop(&r->annotations);
	no_requests_log_stop(&r->no_requests_log);
	live_stop(&r->live);
	exports_close(&r->exports);
	link_stop(&r->link);
	tls_keys_stop(&r->tls);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT); /* lets closed handles go */
	(void)uv_loop_close(&r->loop);
	exports_release(&r->exports);
	connections_release(&r->connections); /* charged to the engine's memory */
	engine_free(r->engine);
	live_release(&r->live);
	tls_keys_release(&r->tls);
	summary_free(r->summary);
	watch_free(r->watch);
	exponential_metrics_free(r->exponentials);
	self_metrics_free(r->self);
	syscalls_agent_release(&r->syscalls);
	request_metrics_release(&r->requests);
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
	if (context->control.fd >= 0 &&
	    live_listen(&r.live, &r.loop, context->control.fd, context->control.is_inherited))
		goto out;
	follow_annotations(&r);
	no_requests_log_start(&r.no_requests_log, &r.loop, r.engine, &r.world, refresh, &r);
	r.started_ns = uv_hrtime();
	(void)usage_read(); /* for the first time, while /proc can be opened */
	resident_trim();
	if (run_options_enter_sandbox(o))
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
	else if (!o->metrics_listen && !o->push && !o->otlp) /* it gives its numbers to nobody */
		closing_unseen(engine_stats(r.engine), &r.world);
out:
	release(&r);
	return status;
}

int command_run(const struct options *o)
{
	const struct broker_options bo = run_options_broker(o);
	struct run_context context = {.o = o};
	int status;

	if (control_socket_open(&context.control, o))
		return EXIT_USE;
	status = broker_run(&bo, work, &context);
	control_socket_close(&context.control);
	return status;
}
