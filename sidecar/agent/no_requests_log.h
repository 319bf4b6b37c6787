/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says after a while that no HTTP request has been seen, and why: after ten
 * seconds if there are connections at all, after a minute, ten, and an hour.
 * With the first request it is over.
 */
#ifndef SIDELIGHT_AGENT_NO_REQUESTS_LOG_H
#define SIDELIGHT_AGENT_NO_REQUESTS_LOG_H

#include <stdbool.h>
#include <uv.h>

#include "metrics/no_requests.h"
#include "txn/engine.h"

struct no_requests_log {
	struct engine *engine; /* borrowed; NULL: not started */
	const struct no_requests_world *world; /* borrowed */
	void (*before)(void *ctx); /* brings both up to date */
	void *ctx;
	unsigned step;
	uv_timer_t timer;
};

void no_requests_log_start(struct no_requests_log *q, uv_loop_t *loop, struct engine *engine,
			   const struct no_requests_world *world, void (*before)(void *ctx),
			   void *ctx);
/* The loop must run once more. Before the start, or again: no-op. */
void no_requests_log_stop(struct no_requests_log *q);

#endif
