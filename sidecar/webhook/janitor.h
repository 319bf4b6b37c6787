/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes the groups of a Pushgateway that nobody has pushed to for a while:
 * a gateway forgets nothing, and a Pod that dies without a last word leaves
 * its series behind for ever.
 *
 * A group that is pushed to, with or without success, is never removed: what
 * the first listing calls old must be just as old in a second one, read right
 * before it goes. If its Pod does come back within those milliseconds, its
 * next push brings everything again, since every push is whole.
 */
#ifndef SIDELIGHT_WEBHOOK_JANITOR_H
#define SIDELIGHT_WEBHOOK_JANITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "webhook/gateway.h"

struct janitor_options {
	struct gateway_options gateway;
	uint64_t older_than_ms;
	uint64_t interval_ms; /* 0: once */
	bool is_dry_run; /* tell only */
};

/*
 * Sweeps once, or until SIGTERM or SIGINT. Logs a line per sweep that did
 * something or failed. Returns the exit status: 0, or 1 if the (last) sweep
 * could not do all it should.
 */
int janitor_run(const struct janitor_options *options);

#endif
