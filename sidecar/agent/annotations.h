/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the Pod's annotations and applies them while sidelight runs: routes,
 * push interval, log level, header fields to be recorded, system calls to be counted. A setting
 * without an annotation, or with one that cannot be read, has its value of the start: option,
 * variable or default.
 */
#ifndef SIDELIGHT_AGENT_ANNOTATIONS_H
#define SIDELIGHT_AGENT_ANNOTATIONS_H

#include <stdint.h>
#include <uv.h>

#include "base/text.h"
#include "agent/live.h"
#include "agent/syscalls.h"
#include "export/push.h"
#include "txn/engine.h"

struct settings {
	const char *routes; /* borrowed; NULL: none */
	uint64_t push_interval_ms;
	int log_level; /* enum log_level */
	const char *headers; /* as routes: see live_set_headers() */
	int syscalls; /* 1: they are counted */
};

struct annotations_options {
	const char *podinfo; /* directory of the downward API; need not be there. Borrowed. */
	struct settings start; /* without annotations */
	/*
	 * Reads one annotation into *s. Keys of others are not looked at. Returns 0, or -EINVAL
	 * after adding a line to error; then *s is as it was. s may borrow value,
	 * which outlives it.
	 */
	int (*set)(void *ctx, struct settings *s, const char *key, const char *value,
		   struct text *error);
	void *ctx;
	struct engine *engine; /* borrowed */
	struct push *push; /* borrowed; NULL: nothing is pushed */
	struct live *live; /* borrowed */
	struct syscalls_agent *syscalls; /* borrowed */
};

struct annotations {
	struct annotations_options o;
	struct settings now; /* in force; routes and headers are owned */
	int fd; /* -1: there is no such directory, and nothing to be closed */
	uv_poll_t poll;
};

/* Reads them, and follows them from now on. */
void annotations_start(struct annotations *a, uv_loop_t *loop, const struct annotations_options *o);
/* The loop must run once more. A second time, or on a zeroed struct with fd -1: no-op. */
void annotations_stop(struct annotations *a);

#endif
