/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/run_options.h"

#include "base/log.h"
#include "metrics/recorder.h"
#include "pod/memory_cgroup.h"
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

struct settings run_options_settings(const struct options *o)
{
	return (struct settings){.routes = o->routes,
				 .push_interval_ms = o->push_interval_ms,
				 .log_level = o->log_level};
}

int run_options_annotate(void *ctx, struct settings *s, const char *key, const char *value,
			 struct text *error)
{
	struct options o = *(const struct options *)ctx;
	int err;

	o.routes = s->routes;
	o.push_interval_ms = s->push_interval_ms;
	o.log_level = s->log_level;
	err = options_annotate(&o, key, value, error);
	*s = run_options_settings(&o);
	return err;
}
