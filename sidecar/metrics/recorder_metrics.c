/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/recorder_metrics.h"

#include <stdlib.h>

enum family_id { BYTES, REQUESTS, OVERWRITTEN, TARGETS_CUT, ROUTES_OVERFLOWED, FAMILIES };

static const char *const place_labels[] = {"kind"};

static const struct family_desc descs[FAMILIES] = {
	[BYTES] = {.name = "sidelight_recorder_bytes",
		   .help = "Memory that the flight recorder takes of the budget, once it is full.",
		   .type = METRIC_GAUGE},
	[REQUESTS] = {.name = "sidelight_recorder_requests_total",
		      .help = "Requests that the flight recorder was given.",
		      .type = METRIC_COUNTER},
	[OVERWRITTEN] = {.name = "sidelight_recorder_overwritten_total",
			 .help = "Requests that the flight recorder does not have any more, by the "
				 "place where they were last.",
			 .type = METRIC_COUNTER,
			 .label_names = place_labels,
			 .label_count = 1},
	[TARGETS_CUT] = {.name = "sidelight_recorder_targets_cut_total",
			 .help = "Recorded requests whose target is longer than what is kept.",
			 .type = METRIC_COUNTER},
	[ROUTES_OVERFLOWED] = {.name = "sidelight_recorder_routes_overflowed_total",
			       .help = "Recorded requests of routes that share their places for "
				       "the slowest requests.",
			       .type = METRIC_COUNTER},
};

static const char *const places[RECORDER_PLACES] = {
	[RECORDER_RECENT] = "recent",
	[RECORDER_ERROR] = "error",
	[RECORDER_SLOW] = "slow",
};

struct recorder_metrics {
	struct family *family[FAMILIES];
};

struct recorder_metrics *recorder_metrics_new(struct registry *r)
{
	struct recorder_metrics *m = calloc(1, sizeof(*m));

	for (int i = 0; m && i < FAMILIES; i++) {
		m->family[i] = registry_family(r, &descs[i]);
		if (!m->family[i]) {
			recorder_metrics_free(m);
			return NULL;
		}
	}
	return m;
}

void recorder_metrics_free(struct recorder_metrics *m)
{
	free(m);
}

static void set(struct recorder_metrics *m, enum family_id family, uint64_t value)
{
	series_set(family_series(m->family[family], NULL), (double)value);
}

void recorder_metrics_refresh(struct recorder_metrics *m, const struct recorder_stats *stats)
{
	set(m, BYTES, stats->bytes);
	set(m, REQUESTS, stats->recorded);
	set(m, TARGETS_CUT, stats->targets_cut);
	set(m, ROUTES_OVERFLOWED, stats->routes_overflowed);
	for (int i = 0; i < RECORDER_PLACES; i++)
		series_set(family_series(m->family[OVERWRITTEN], &places[i]),
			   (double)stats->overwritten[i]);
}
