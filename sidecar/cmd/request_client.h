/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of a running sidecar, by its control socket, given to a writer: what trace and export
 * have in common.
 */
#ifndef SIDELIGHT_CMD_REQUEST_CLIENT_H
#define SIDELIGHT_CMD_REQUEST_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"
#include "export/request_writer.h"

struct request_client {
	const char *command; /* what log lines begin with */
	const struct options *options; /* which requests, and of which sidecar */
	struct request_writer *writer;
	/* After those that came together were written: requests up to now. May be NULL. */
	void (*progress)(void *ctx, uint64_t requests);
	bool (*is_over)(void *ctx); /* see control_client.h */
	void *ctx;
};

enum {
	REQUEST_CLIENT_INCOMPLETE = 1, /* requests are missing, or the sidecar went away */
	REQUEST_CLIENT_USE = 2, /* no sidecar answered: nothing was written */
};

/*
 * Asks, writes, and finishes the writer. Returns 0 or a status of the above, after a log line for
 * each thing that is missing. An output whose reader went away (EPIPE) misses nothing.
 */
int request_client_run(const struct request_client *c, uint64_t *ret_requests);

#endif
