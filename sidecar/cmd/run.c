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

#include "agent/debug_log.h"
#include "base/log.h"
#include "base/resident.h"
#include "broker/broker.h"
#include "cmd/control_socket.h"
#include "cmd/run_options.h"
#include "cmd/run_state.h"
#include "export/closing.h"
#include "pod/memory_cgroup.h"
#include "pod/sandbox.h"
#include "txn/route_doubt.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USE	2

/* Of the promise to be gone three seconds after SIGTERM, what the last push may take. */
#define STOP_DEADLINE_MS 2500

/* Methods times routes that the table at the end has room for. */
#define SUMMARY_ROWS 200

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
	header_lists_agent_stop(&r->header_lists);
}

void run_stop(void *ctx, bool is_lost)
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
	(void)source_drain(r->source, run_on_event, r);
	engine_flush(r->engine, uv_hrtime());
	exports_stop(&r->exports, STOP_DEADLINE_MS, close_all, r);
}

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
	registry_set_created(r->registry, o->created == OPTION_CREATED_ON);
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
					 .on_secrets_needed = run_on_secrets_needed,
					 .on_frame = run_on_frame,
					 .on_unneeded = r->tls.secrets ? run_on_unneeded : NULL,
					 .on_lists_wanted = run_on_lists_wanted,
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
	header_lists_agent_start(&r->header_lists, &r->loop, r->engine, &r->link);
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
	err = reader_start(&r->reader, &r->loop, r->source, run_on_event, r);
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
	header_lists_agent_stop(&r->header_lists);
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

	link_init(&r.link, channel, &run_link_ops, &r);
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
