/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody who looks at a running sidecar asks it for: the flight recorder, which has what
 * happened before, and the control socket that gives it to clients.
 */
#ifndef SIDELIGHT_AGENT_LIVE_H
#define SIDELIGHT_AGENT_LIVE_H

#include <stddef.h>

#include "agent/connections.h"
#include "agent/reader.h"
#include "agent/syscalls.h"
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
	struct connections *connections; /* their lists are to be followed by live_listed() */
	struct red *red; /* knows the names of containers */
	struct syscalls_agent *syscalls;
	struct reader *reader; /* may be started later */
	size_t recent; /* requests to be recorded; 0: none */
	const char *headers; /* as for live_set_headers() */
	bool forbids_headers; /* nobody gets any, whoever asks */
};

/* Zeroed, it does nothing. */
struct live {
	struct live_options o;
	struct recorder *recorder; /* NULL: off */
	struct recorder_metrics *recorder_metrics;
	struct control *control; /* NULL: there is no socket */
	struct control_metrics *control_metrics;
	struct header_wish headers; /* of the settings; its names are owned */
};

/* Records from now on. Returns 0 or -ENOMEM. */
int live_init(struct live *l, const struct live_options *o);
/* Answers at fd, a Unix socket that listens; owned from the call on. is_for_maker: answers only the
 * process that made it listen. Returns 0, or negative errno after one log line. */
int live_listen(struct live *l, uv_loop_t *loop, int fd, bool is_for_maker);
/* Which header fields are recorded from now on, whoever is connected: see struct header_wish; NULL
 * or "off": none. Returns 0 or -ENOMEM: then it is as it was. */
int live_set_headers(struct live *l, const char *names);
/* Ends all answers, and forgets header fields. The loop must run once more. A second time: no-op.
 */
void live_stop(struct live *l);
/* The engine may be gone. */
void live_release(struct live *l);

/* A list of open connections has come to its end. */
void live_listed(struct live *l);

/* Somebody is about to read the registry. */
void live_refresh(struct live *l);

#endif
