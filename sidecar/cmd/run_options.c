/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/run_options.h"

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
