/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/latency.h"

static uint64_t bucket_middle(size_t i)
{
	const size_t subs = (size_t)1 << LATENCY_SUB_BITS;
	unsigned shift;
	uint64_t low;

	if (i < 2 * subs)
		return i; /* buckets 1 ns wide are exact */
	shift = (unsigned)(i >> LATENCY_SUB_BITS) - 1;
	low = (uint64_t)(subs + (i & (subs - 1))) << shift;
	return low + (UINT64_C(1) << shift >> 1);
}

uint64_t latency_quantile(const struct latency *l, double share)
{
	uint64_t rank = (uint64_t)(share * (double)l->count);
	uint64_t below = 0;

	if (l->count == 0)
		return 0;
	if ((double)rank < share * (double)l->count)
		rank++;
	if (rank == 0)
		rank = 1;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		below += l->bucket[i];
		if (below >= rank) {
			uint64_t middle = bucket_middle(i);

			return middle < l->max_ns ? middle : l->max_ns;
		}
	}
	return l->max_ns;
}
