/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/recorder_metrics.h"

#include <stdlib.h>

enum family_id {
	BYTES,
	REQUESTS,
	OVERWRITTEN,
	TARGETS_CUT,
	ROUTES_OVERFLOWED,
	HEADER_BYTES,
	HEADERS_DROPPED,
	HEADERS_CUT,
	FAMILIES
};

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
	[HEADER_BYTES] = {.name = "sidelight_recorder_headers_bytes",
			  .help = "Memory that header fields of recorded requests take now.",
			  .type = METRIC_GAUGE},
	[HEADERS_DROPPED] = {.name = "sidelight_recorder_headers_dropped_total",
			     .help = "Recorded requests whose header fields had no room, or gave "
				     "way to newer ones.",
			     .type = METRIC_COUNTER},
	[HEADERS_CUT] = {.name = "sidelight_recorder_headers_cut_total",
			 .help = "Recorded requests with more or longer header fields than what is "
				 "kept.",
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

	if (!m || registry_families(r, descs, FAMILIES, m->family) == 0)
		return m;
	recorder_metrics_free(m);
	return NULL;
}

void recorder_metrics_free(struct recorder_metrics *m)
{
	free(m);
}

void recorder_metrics_refresh(struct recorder_metrics *m, const struct recorder_stats *stats)
{
	family_set(m->family[BYTES], (double)stats->bytes);
	family_set(m->family[REQUESTS], (double)stats->recorded);
	family_set(m->family[TARGETS_CUT], (double)stats->targets_cut);
	family_set(m->family[ROUTES_OVERFLOWED], (double)stats->routes_overflowed);
	family_set(m->family[HEADER_BYTES], (double)stats->headers.bytes);
	family_set(m->family[HEADERS_DROPPED], (double)stats->headers.dropped);
	family_set(m->family[HEADERS_CUT], (double)stats->headers.cut);
	for (int i = 0; i < RECORDER_PLACES; i++)
		series_set(family_series(m->family[OVERWRITTEN], &places[i]),
			   (double)stats->overwritten[i]);
}
