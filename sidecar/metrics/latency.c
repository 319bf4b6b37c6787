/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/latency.h"

static uint64_t bucket_middle(size_t i)
{
	uint64_t low = latency_bucket_low(i);

	return low + (latency_bucket_low(i + 1) - low) / 2; /* buckets 1 ns wide are exact */
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
