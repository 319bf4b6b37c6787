/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As latency.h, in an eighth of the memory: 8 buckets to each power of two, so a quantile is off by
 * at most 1/16 (6 %). Zeroed it is empty.
 */
#ifndef SIDELIGHT_METRICS_STAGE_LATENCY_H
#define SIDELIGHT_METRICS_STAGE_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define STAGE_LATENCY_SUB_BITS 3
#define STAGE_LATENCY_MAX_BITS 42 /* 73 minutes; what is longer counts as that */
#define STAGE_LATENCY_BUCKETS                                                                      \
	((STAGE_LATENCY_MAX_BITS - STAGE_LATENCY_SUB_BITS + 1) << STAGE_LATENCY_SUB_BITS)

struct stage_latency {
	uint64_t count;
	uint64_t max_ns;
	uint32_t bucket[STAGE_LATENCY_BUCKETS];
};

void stage_latency_add(struct stage_latency *l, uint64_t ns);

/* The smallest duration that at least this share (0 to 1) is not above; 0 if empty. */
uint64_t stage_latency_quantile(const struct stage_latency *l, double share);

#endif
