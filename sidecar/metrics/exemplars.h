/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars: for each bucket of a histogram of durations, one request that it counts, with its
 * trace and span. It is the first one after EXEMPLARS_INTERVAL_NS that the sender's tracer samples;
 * of a trace that is not sampled there is nothing to look at.
 *
 * A histogram gets memory with its first exemplar. The first EXEMPLARS_HISTOGRAMS_MAX that need it
 * do: 1,000 bytes each.
 */
#ifndef SIDELIGHT_METRICS_EXEMPLARS_H
#define SIDELIGHT_METRICS_EXEMPLARS_H

#include <stdint.h>

#include "metrics/registry.h"
#include "txn/transaction.h"

#define EXEMPLARS_INTERVAL_NS	 UINT64_C(5000000000)
#define EXEMPLARS_HISTOGRAMS_MAX 256

struct exemplars;

/* Adds its families to r. NULL: no memory. */
struct exemplars *exemplars_new(struct registry *r);
/* Accepts NULL. The exemplars stay, with their histograms. */
void exemplars_free(struct exemplars *x);

/* What to add to times of transactions to get nanoseconds since 1970. */
void exemplars_set_clock(struct exemplars *x, int64_t offset_ns);

/* The general case of exemplars_observe(). */
void exemplars_add(struct exemplars *x, struct histogram *h, size_t bucket,
		   const struct transaction *t);

/* h counts t in this bucket. x NULL: there are to be no exemplars. */
static inline void exemplars_observe(struct exemplars *x, struct histogram *h, size_t bucket,
				     const struct transaction *t)
{
	if (x && t->trace && t->trace->is_sampled)
		exemplars_add(x, h, bucket, t);
}

#endif
