/* SPDX-License-Identifier: Apache-2.0 */
/* What counts requests: the RED metrics, with exemplars and the labels of processes if wanted. */
#ifndef SIDELIGHT_AGENT_REQUEST_METRICS_H
#define SIDELIGHT_AGENT_REQUEST_METRICS_H

#include <stdbool.h>

#include "broker/link.h"
#include "metrics/exemplars.h"
#include "metrics/process_labels.h"
#include "metrics/red.h"
#include "txn/engine.h"

/* Zeroed, it may be released. */
struct request_metrics {
	struct red *red;
	struct exemplars *exemplars; /* NULL: none */
	struct process_labels *processes; /* NULL: no labels of processes */
	struct link *link; /* borrowed; knows the names of processes */
	unsigned nameless; /* records that were sent and name no process, before the first that does
			    */
};

struct request_metrics_options {
	struct red_options red; /* without exemplars and processes, which the next two say */
	bool has_exemplars;
	bool has_processes;
	struct link *link; /* borrowed */
};

/* Adds its families to r, which must outlive it. Returns 0 or -ENOMEM. */
int request_metrics_init(struct request_metrics *m, struct registry *r,
			 const struct request_metrics_options *options);
void request_metrics_release(struct request_metrics *m);

/* Counts what the engine reports from now on. */
void request_metrics_add_sink(struct request_metrics *m, struct engine *engine);
/* Before the engine gets this event. */
void request_metrics_event(struct request_metrics *m, const struct event *ev);
/* Somebody is about to read the registry. */
void request_metrics_refresh(struct request_metrics *m, const struct engine *engine);

#endif
