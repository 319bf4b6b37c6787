/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the webhook counts of itself, in Prometheus' text format.
 */
#ifndef SIDELIGHT_WEBHOOK_STATS_H
#define SIDELIGHT_WEBHOOK_STATS_H

#include <stdint.h>

#include "base/text.h"
#include "webhook/budget.h"
#include "webhook/http.h"
#include "webhook/review.h"

#define STATS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum stats_refusal {
	REFUSED_METHOD,
	REFUSED_TYPE,
	REFUSED_SIZE,
	REFUSED_BUSY, /* too many bodies at once */
	REFUSED_MALFORMED, /* no proper HTTP */
	REFUSED_MAX,
};

#define STATS_BUCKETS 8

struct stats {
	uint64_t reviews[2][RESULT_MAX]; /* by enum review_target */
	uint64_t refused[REFUSED_MAX];
	uint64_t buckets[STATS_BUCKETS + 1]; /* durations; the last one: longer */
	uint64_t duration_ns;
	uint64_t reloads;
	uint64_t reload_failures;
};

/* One review and how long its answer took. */
void stats_count(struct stats *s, enum review_target target, enum review_result result,
		 uint64_t duration_ns);

/* Values that live elsewhere. */
struct stats_state {
	unsigned connections;
	unsigned requests;
	uint64_t dropped[DROP_MAX];
	int64_t cert_expiry;
	uint64_t memory_bytes[BUDGET_SHARE_MAX];
	uint64_t memory_refused[BUDGET_SHARE_MAX];
};

void stats_print(const struct stats *s, const struct stats_state *state, struct text *out);

#endif
