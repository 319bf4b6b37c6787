/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations of any size in a fixed number of log-linear buckets: 32 to each
 * power of two. A quantile is the middle of its bucket, so it is off by at
 * most 1/64 (1.6 %) from the value that was put in. Zeroed it is empty.
 */
#ifndef SIDELIGHT_METRICS_LATENCY_H
#define SIDELIGHT_METRICS_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_SUB_BITS 5
#define LATENCY_MAX_BITS 42 /* 2^42 ns is 73 minutes; what is longer counts as that */
#define LATENCY_BUCKETS	 ((LATENCY_MAX_BITS - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS)

struct latency {
	uint64_t count;
	uint64_t max_ns;
	uint64_t bucket[LATENCY_BUCKETS];
};

/* The first 64 buckets are 1 ns wide, the next 32 are 2 ns, the next 32 4 ns, and so on. */
static inline size_t latency_bucket(uint64_t ns)
{
	unsigned shift;

	if (ns < 1u << LATENCY_SUB_BITS)
		return (size_t)ns;
	if (ns >> LATENCY_MAX_BITS)
		return LATENCY_BUCKETS - 1;
	shift = 63u - (unsigned)__builtin_clzll(ns) - LATENCY_SUB_BITS;
	return ((size_t)shift << LATENCY_SUB_BITS) + (size_t)(ns >> shift);
}

/* The smallest duration of bucket i, which may be LATENCY_BUCKETS: the end of the last one. */
static inline uint64_t latency_bucket_low(size_t i)
{
	const size_t subs = (size_t)1 << LATENCY_SUB_BITS;

	if (i < subs)
		return i;
	return (uint64_t)(subs + (i & (subs - 1))) << ((i >> LATENCY_SUB_BITS) - 1);
}

static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->bucket[latency_bucket(ns)]++;
	l->count++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

/* The smallest duration that at least this share (0 to 1) is not above; 0 if empty. */
uint64_t latency_quantile(const struct latency *l, double share);

#endif
