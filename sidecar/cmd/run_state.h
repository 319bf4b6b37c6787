/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker consists of (run.c), and what comes to it from the source, the engine and the
 * broker (run_inputs.c). */
#ifndef SIDELIGHT_CMD_RUN_STATE_H
#define SIDELIGHT_CMD_RUN_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent/annotations.h"
#include "agent/connections.h"
#include "agent/header_lists.h"
#include "agent/labels.h"
#include "agent/live.h"
#include "agent/no_requests_log.h"
#include "agent/reader.h"
#include "agent/request_metrics.h"
#include "agent/syscalls.h"
#include "agent/tls_keys.h"
#include "broker/link.h"
#include "capture/source.h"
#include "cmd/exports.h"
#include "metrics/exponential_metrics.h"
#include "metrics/no_requests.h"
#include "metrics/self_metrics.h"
#include "metrics/summary.h"
#include "metrics/watch.h"
#include "txn/engine.h"

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

/* ctx of all functions is the struct run. */

/* An event_fn. */
void run_on_event(void *ctx, const struct event *ev);

/* As in struct engine_options: an answer that is dropped is asked for again. */
void run_on_frame(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq);
void run_on_unneeded(void *ctx, uint64_t conn_id, enum sl_mute why);
void run_on_lists_wanted(void *ctx);
bool run_on_secrets_needed(void *ctx);

extern const struct link_ops run_link_ops;

/* Once, of struct link_ops: everything stops in order. */
void run_stop(void *ctx, bool is_lost);

#endif
