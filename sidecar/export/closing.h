/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run says on standard error at its end.
 */
#ifndef SIDELIGHT_EXPORT_CLOSING_H
#define SIDELIGHT_EXPORT_CLOSING_H

#include <stdint.h>

#include "metrics/no_requests.h"
#include "metrics/summary.h"
#include "txn/engine.h"

/* The table of what was summed up in so many nanoseconds, or why it is empty. */
void closing_summary(struct summary *summary, uint64_t elapsed_ns, const struct engine_stats *stats,
		     const struct no_requests_world *world);

/* Why there was no request, as a line of the log; nothing if there were some. */
void closing_unseen(const struct engine_stats *stats, const struct no_requests_world *world);

#endif
