/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header lists of programs in the worker: the broker is told of which connections they are wanted,
 * again and again while there are any, and the engine gets those that come.
 */
#ifndef SIDELIGHT_AGENT_HEADER_LISTS_H
#define SIDELIGHT_AGENT_HEADER_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "broker/link.h"
#include "metrics/registry.h"
#include "txn/engine.h"

struct header_lists_agent {
	struct family *family;
	struct engine *engine; /* borrowed */
	struct link *link; /* borrowed */
	uint64_t lost; /* by the broker and the kernel */
	struct sl_list_ends wanted[CHANNEL_WANTED_MAX]; /* of the message that is being made */
	size_t count;
	bool has_timer;
	uv_timer_t timer;
};

/* Returns 0 or negative errno. */
int header_lists_agent_init(struct header_lists_agent *a, struct registry *r);
void header_lists_agent_start(struct header_lists_agent *a, uv_loop_t *loop, struct engine *engine,
			      struct link *link);
/* Closes the timer: the loop must run once more. Not started, or again: no-op. */
void header_lists_agent_stop(struct header_lists_agent *a);
/* A connection wants lists: engine_options.on_lists_wanted. */
void header_lists_agent_wanted(struct header_lists_agent *a);
/* HEADER_LIST. */
void header_lists_agent_message(struct header_lists_agent *a, const struct channel_message *m);
/* So many lists did not come, since the start. */
void header_lists_agent_lost(struct header_lists_agent *a, uint64_t count);
/* Before the metrics are read. */
void header_lists_agent_refresh(struct header_lists_agent *a);

#endif
