/* SPDX-License-Identifier: Apache-2.0 */
/* Times of events, on the monotonic clock, as times of day. */
#ifndef SIDELIGHT_BASE_CLOCK_H
#define SIDELIGHT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* What to add to the time of an event, now, to get nanoseconds since 1970. */
static inline int64_t clock_offset_ns(void)
{
	struct timespec day;
	struct timespec event;

	(void)clock_gettime(CLOCK_REALTIME, &day); /* neither can fail */
	(void)clock_gettime(CLOCK_MONOTONIC, &event);
	return ((int64_t)day.tv_sec - event.tv_sec) * 1000000000 + day.tv_nsec - event.tv_nsec;
}

#endif
