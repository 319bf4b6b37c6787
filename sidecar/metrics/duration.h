/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buckets of durations: the fourteen bounds of OpenTelemetry's conventions, and three below:
 * half of all services answer in under 5 ms.
 */
#ifndef SIDELIGHT_METRICS_DURATION_H
#define SIDELIGHT_METRICS_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_BOUNDS 17

/* In seconds. */
extern const double duration_bounds[DURATION_BOUNDS];
/* The same in nanoseconds. */
extern const uint64_t duration_bounds_ns[DURATION_BOUNDS];

/* The bucket of a duration. */
static inline size_t duration_bucket(uint64_t ns)
{
	size_t i = 0;

	while (i < DURATION_BOUNDS && ns > duration_bounds_ns[i])
		i++;
	return i;
}

#endif
