/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/run_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "metrics/recorder.h"
#include "pod/memory_cgroup.h"
#include "pod/sandbox.h"
#include "txn/engine.h"

/* The share of --memory that the flight recorder may have. */
#define RECORDER_SHARE 4

struct label_options run_options_labels(const struct options *o)
{
	return (struct label_options){.job = o->job,
				      .namespace = o->namespace,
				      .pod = o->pod,
				      .node = o->node,
				      .workload = o->workload,
				      .pod_labels = o->pod_labels,
				      .podinfo = o->podinfo,
				      .cgroup = o->cgroup,
				      .pid = o->pid,
				      .command = o->argv ? o->argv[0] : NULL,
				      .is_pushed = o->push != NULL};
}

struct broker_options run_options_broker(const struct options *o)
{
	return (struct broker_options){.argv = o->argv,
				       .pid = o->pid,
				       .cgroup = o->cgroup,
				       .containers = o->containers,
				       .for_ms = o->for_ms,
				       .ring_bytes = o->ring_bytes,
				       .conn_cap = o->conn_cap,
				       .has_tls = o->tls == OPTION_TLS_KEYS,
				       .names_processes = o->labels_by == LABELS_BY_PROCESS,
				       .may_count_syscalls = o->syscall_counting == OPTION_ALLOWED};
}

int run_options_enter_sandbox(const struct options *o)
{
	char podinfo[PATH_MAX];
	const char *const files[] = {podinfo,		o->push_ca,	   o->push_cert,
				     o->push_key,	o->push_user_file, o->push_token_file,
				     o->otlp_ca,	o->otlp_cert,	   o->otlp_key,
				     o->otlp_token_file};

	(void)snprintf(podinfo, sizeof(podinfo), "%s/annotations", o->podinfo); /* cut: not read */
	return sandbox_enter(files, sizeof(files) / sizeof(files[0]));
}

/*
 * A quarter of the container's limit leaves room for what this process has beside it (12 MB with
 * its libraries, series, a page of metrics), for the kernel's maps, ring and socket storage, which
 * are charged to the same cgroup, and for the heap's gaps.
 */
static size_t memory_budget(const struct options *o)
{
	uint64_t quarter = memory_cgroup_limit("") / 4;

	if (o->memory_bytes)
		return o->memory_bytes;
	return quarter && quarter < ENGINE_MEMORY_DEFAULT ? quarter : ENGINE_MEMORY_DEFAULT;
}

struct run_memory run_options_memory(const struct options *o)
{
	size_t budget = memory_budget(o);
	size_t fit = recorder_fit(budget / RECORDER_SHARE);
	struct run_memory ret = {.recorder_recent = o->recorder_recent};

	if (o->recorder_recent > fit) {
		ret.recorder_recent = fit;
		log_info("run: the recorder keeps the last %zu requests, not %zu: it has a quarter "
			 "of --memory",
			 fit, (size_t)o->recorder_recent);
	}
	if (ret.recorder_recent)
		ret.recorder = recorder_bytes(ret.recorder_recent);
	ret.connections = budget - ret.recorder;
	return ret;
}

struct request_metrics_options run_options_request_metrics(const struct options *o)
{
	return (struct request_metrics_options){
		.red = {.wants_body_sizes = o->has_body_sizes,
			.foresees_errors = true,
			.durations = &o->durations},
		/* The text that a gateway takes has no exemplars. */
		.has_exemplars =
			o->exemplars == OPTION_EXEMPLARS_ON && (o->metrics_listen || o->otlp),
		.has_processes = o->labels_by == LABELS_BY_PROCESS,
	};
}

struct settings run_options_settings(const struct options *o)
{
	bool has_headers = o->header_capture == OPTION_ALLOWED;

	return (struct settings){.routes = o->routes,
				 .push_interval_ms = o->push_interval_ms,
				 .log_level = o->log_level,
				 .headers = has_headers ? o->headers : NULL,
				 .syscalls = o->syscalls == OPTION_ON &&
					     o->syscall_counting == OPTION_ALLOWED};
}

int run_options_annotate(void *ctx, struct settings *s, const char *key, const char *value,
			 struct text *error)
{
	struct options o = *(const struct options *)ctx;
	int err;

	o.routes = s->routes;
	o.push_interval_ms = s->push_interval_ms;
	o.log_level = s->log_level;
	o.headers = s->headers;
	o.syscalls = s->syscalls;
	err = options_annotate(&o, key, value, error);
	if (!err && ((options_want_headers(&o) && o.header_capture == OPTION_FORBIDDEN) ||
		     (o.syscalls == OPTION_ON && o.syscall_counting == OPTION_FORBIDDEN))) {
		text_addf(error, "%s: it is forbidden here; ignored", key);
		return -EINVAL;
	}
	*s = run_options_settings(&o);
	return err;
}
