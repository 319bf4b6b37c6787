/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Pod's annotations say, as soon as they say it: routes, push
 * interval, log level. What an annotation does not say, or says wrongly, is as
 * the start has it: option, variable or default.
 */
#ifndef SIDELIGHT_LIVE_H
#define SIDELIGHT_LIVE_H

#include <stdbool.h>
#include <uv.h>

#include "export/push.h"
#include "options.h"
#include "txn/engine.h"

struct live {
	const struct options *start; /* borrowed, as the next two */
	struct engine *engine;
	struct push *push; /* NULL: nothing is pushed */
	int fd; /* -1: there is no such directory, and nothing to be closed */
	uv_poll_t poll;
	char *routes; /* in force; NULL: none */
	uint64_t push_interval_ms;
	int log_level;
};

/* Reads them, and follows them from now on. */
void live_start(struct live *l, uv_loop_t *loop, const struct options *start, struct engine *engine,
		struct push *push);
/* The loop must run once more. A second time, or on a zeroed struct with fd -1: no-op. */
void live_stop(struct live *l);

#endif
