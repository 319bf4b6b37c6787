/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/stage_latency.h"

#define SUBS ((size_t)1 << STAGE_LATENCY_SUB_BITS)

/* The first 16 buckets are 1 ns wide, the next 8 are 2 ns, the next 8 4 ns, and so on. */
static size_t bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < SUBS)
		return (size_t)ns;
	if (ns >> STAGE_LATENCY_MAX_BITS)
		return STAGE_LATENCY_BUCKETS - 1;
	shift = 63u - (unsigned)__builtin_clzll(ns) - STAGE_LATENCY_SUB_BITS;
	return ((size_t)shift << STAGE_LATENCY_SUB_BITS) + (size_t)(ns >> shift);
}

static uint64_t bucket_middle(size_t i)
{
	unsigned shift;

	if (i < 2 * SUBS)
		return i;
	shift = (unsigned)(i >> STAGE_LATENCY_SUB_BITS) - 1;
	return ((uint64_t)(SUBS + (i & (SUBS - 1))) << shift) + (UINT64_C(1) << shift >> 1);
}

void stage_latency_add(struct stage_latency *l, uint64_t ns)
{
	l->bucket[bucket_of(ns)]++;
	l->count++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

uint64_t stage_latency_quantile(const struct stage_latency *l, double share)
{
	uint64_t rank = (uint64_t)(share * (double)l->count);
	uint64_t below = 0;

	if ((double)rank < share * (double)l->count || !rank)
		rank++;
	for (size_t i = 0; l->count && i < STAGE_LATENCY_BUCKETS; i++) {
		below += l->bucket[i];
		if (below >= rank) {
			uint64_t middle = bucket_middle(i);

			return middle < l->max_ns ? middle : l->max_ns;
		}
	}
	return l->max_ns;
}
