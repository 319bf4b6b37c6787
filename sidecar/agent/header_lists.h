/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header lists of programs in the worker: the broker is asked for them while header fields of
 * connections are unknown, and the engine gets those that come.
 */
#ifndef SIDELIGHT_AGENT_HEADER_LISTS_H
#define SIDELIGHT_AGENT_HEADER_LISTS_H

#include <stdint.h>

#include "broker/link.h"
#include "metrics/registry.h"
#include "txn/engine.h"

struct header_lists_agent {
	struct family *family;
	struct engine *engine; /* borrowed */
	struct link *link; /* borrowed */
	uint64_t asked_ns;
	uint64_t lost; /* by the broker and the kernel */
};

/* Returns 0 or negative errno. */
int header_lists_agent_init(struct header_lists_agent *a, struct registry *r);
void header_lists_agent_start(struct header_lists_agent *a, struct engine *engine,
			      struct link *link);
/* A header field is unknown that a list may tell. */
void header_lists_agent_want(struct header_lists_agent *a);
/* HEADER_LIST. */
void header_lists_agent_message(struct header_lists_agent *a, const struct channel_message *m);
/* Before the metrics are read. */
void header_lists_agent_refresh(struct header_lists_agent *a);

#endif
