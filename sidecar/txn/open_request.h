/* SPDX-License-Identifier: Apache-2.0 */
/* A request without a complete response: what is known of it now. */
#ifndef SIDELIGHT_TXN_OPEN_REQUEST_H
#define SIDELIGHT_TXN_OPEN_REQUEST_H

#include <stdint.h>

#include "base/endpoint.h"
#include "capture/event.h"

/* Borrowed during the callback; members are as in struct transaction. */
struct open_request {
	enum role role;
	const char *known_method;
	const char *route; /* may not be admitted as a label yet */
	const struct endpoint *remote;
	uint64_t start_ns;
};

struct conn;

typedef void (*open_request_fn)(void *ctx, const struct open_request *r);

/* Calls fn for each open request of a connection that is counted as open, the oldest first. */
void open_requests_each(struct conn *c, open_request_fn fn, void *ctx);

#endif
