/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/otlp_metrics.h"

#include <stdlib.h>

enum family_id { EXPORTS, REJECTED_POINTS, SKIPPED, SECONDS, SUCCESS, FAMILIES };

static const char *const result_labels[] = {"result"};

static const struct family_desc descs[FAMILIES] = {
	[EXPORTS] = {.name = "sidelight_otlp_exports_total",
		     .help = "Exports by OTLP, by result.",
		     .type = METRIC_COUNTER,
		     .label_names = result_labels,
		     .label_count = 1},
	[REJECTED_POINTS] = {.name = "sidelight_otlp_rejected_points_total",
			     .help = "Data points that the receiver rejected of exports that it "
				     "took.",
			     .type = METRIC_COUNTER},
	[SKIPPED] = {.name = "sidelight_otlp_exports_skipped_total",
		     .help = "Export intervals that passed while an export was under way.",
		     .type = METRIC_COUNTER},
	[SECONDS] = {.name = "sidelight_otlp_last_duration_seconds",
		     .help = "How long the last export took.",
		     .type = METRIC_GAUGE},
	[SUCCESS] = {.name = "sidelight_otlp_last_success_timestamp_seconds",
		     .help = "When an export was last taken, in Unix time.",
		     .type = METRIC_GAUGE},
};

struct otlp_metrics {
	struct family *family[FAMILIES];
};

struct otlp_metrics *otlp_metrics_new(struct registry *r)
{
	struct otlp_metrics *m = calloc(1, sizeof(*m));

	if (!m || registry_families(r, descs, FAMILIES, m->family) == 0)
		return m;
	otlp_metrics_free(m);
	return NULL;
}

void otlp_metrics_free(struct otlp_metrics *m)
{
	free(m);
}

void otlp_metrics_refresh(struct otlp_metrics *m, const struct otlp_stats *stats)
{
	for (int i = 0; i < OTLP_RESULT_MAX; i++) {
		const char *name = otlp_result_name((enum otlp_result)i);

		series_set(family_series(m->family[EXPORTS], &name), (double)stats->results[i]);
	}
	family_set(m->family[REJECTED_POINTS], (double)stats->rejected_points);
	family_set(m->family[SKIPPED], (double)stats->skipped);
	family_set(m->family[SECONDS], stats->last_seconds);
	family_set(m->family[SUCCESS], stats->last_success);
}
