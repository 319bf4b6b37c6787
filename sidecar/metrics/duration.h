/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classic buckets of durations. By default they have the fourteen bounds of OpenTelemetry's
 * conventions, and three below: half of all services answer in under 5 ms.
 */
#ifndef SIDELIGHT_METRICS_DURATION_H
#define SIDELIGHT_METRICS_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "metrics/registry.h"

struct duration_buckets {
	size_t count;
	double bounds[METRIC_BUCKETS_MAX]; /* in seconds */
	/* The same in nanoseconds; behind them is one that no duration is above. */
	uint64_t bounds_ns[METRIC_BUCKETS_MAX + 1];
};

extern const struct duration_buckets duration_buckets_default;

/*
 * Reads bounds in seconds, separated by commas: 1 to METRIC_BUCKETS_MAX of them, ascending, from a
 * microsecond to a day, rounded to nanoseconds. Returns NULL, or why it is no such list.
 */
const char *duration_buckets_parse(struct duration_buckets *b, const char *list);

/* The family with these bounds. */
struct family_desc duration_family(const struct family_desc *desc,
				   const struct duration_buckets *b);

/* The bucket of a duration. */
static inline size_t duration_bucket(const struct duration_buckets *b, uint64_t ns)
{
	size_t i = 0;

	while (ns > b->bounds_ns[i])
		i++;
	return i;
}

#endif
