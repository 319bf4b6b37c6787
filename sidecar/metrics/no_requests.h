/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why no HTTP request has been seen so far: sidelight_no_requests{reason} is 1
 * for the reason that holds now, and 0 for all others, so for all of them once
 * there was a request.
 */
#ifndef SIDELIGHT_METRICS_NO_REQUESTS_H
#define SIDELIGHT_METRICS_NO_REQUESTS_H

#include <stdint.h>

#include "broker/channel.h"
#include "metrics/registry.h"
#include "txn/engine.h"

/* What the engine does not know of the connections of what is watched. */
struct no_requests_world {
	uint64_t opened; /* accepted and made, whether or not data was seen */
	uint64_t unseen; /* sockets whose traffic does not pass the hooks, now */
};

enum no_requests {
	NO_REQUESTS_UNSEEN, /* their traffic does not pass the hooks */
	NO_REQUESTS_NO_CONNECTION,
	NO_REQUESTS_NO_DATA, /* connections, and nothing on them */
	NO_REQUESTS_TLS, /* nothing but TLS */
	NO_REQUESTS_NOT_HTTP, /* nothing but other protocols, TLS among them */
	NO_REQUESTS_INCOMPLETE, /* it may be HTTP: no request has ended yet, or was understood */
	NO_REQUESTS_MAX, /* there was one */
};

enum no_requests no_requests_reason(const struct engine_stats *stats,
				    const struct no_requests_world *world);

/* Adds the family to r. NULL: no memory. */
struct family *no_requests_family(struct registry *r);
void no_requests_set(struct family *f, enum no_requests reason);

#endif
