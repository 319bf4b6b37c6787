/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody who looks at a running sidecar asks it for: the flight recorder, which has what
 * happened before, and the control socket that gives it to clients.
 */
#ifndef SIDELIGHT_AGENT_LIVE_H
#define SIDELIGHT_AGENT_LIVE_H

#include <stddef.h>

#include "agent/reader.h"
#include "export/control.h"
#include "metrics/control_metrics.h"
#include "metrics/recorder.h"
#include "metrics/recorder_metrics.h"
#include "metrics/red.h"
#include "metrics/registry.h"
#include "txn/engine.h"

/* Everything is borrowed. */
struct live_options {
	struct registry *registry;
	struct engine *engine;
	struct red *red; /* knows the names of containers */
	struct reader *reader; /* may be started later */
	size_t recent; /* requests to be recorded; 0: none */
};

/* Zeroed, it does nothing. */
struct live {
	struct live_options o;
	struct recorder *recorder; /* NULL: off */
	struct recorder_metrics *recorder_metrics;
	struct control *control; /* NULL: there is no socket */
	struct control_metrics *control_metrics;
};

/* Records from now on. Returns 0 or -ENOMEM. */
int live_init(struct live *l, const struct live_options *o);
/* Answers at fd, a Unix socket that listens; owned from the call on. Returns 0, or negative errno
 * after one log line. */
int live_listen(struct live *l, uv_loop_t *loop, int fd);
/* Ends all answers. The loop must run once more. A second time: no-op. */
void live_stop(struct live *l);
/* The engine may be gone. */
void live_release(struct live *l);

/* Somebody is about to read the registry. */
void live_refresh(struct live *l);

#endif
