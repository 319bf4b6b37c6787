/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/exponential_metrics.h"

#include <stdlib.h>

enum family_id { BYTES, DOWNSCALED, UNPLACED, FAMILIES };

static const struct family_desc descs[FAMILIES] = {
	[BYTES] = {.name = "sidelight_native_histogram_bytes",
		   .help = "Memory of the buckets of native histograms.",
		   .type = METRIC_GAUGE},
	[DOWNSCALED] = {.name = "sidelight_native_histogram_downscales_total",
			.help = "Times that the buckets of a native histogram became twice as wide "
				"to bound its memory.",
			.type = METRIC_COUNTER},
	[UNPLACED] = {.name = "sidelight_native_histogram_unplaced_total",
		      .help = "Values that native histograms count as zero, without memory for "
			      "their bucket.",
		      .type = METRIC_COUNTER},
};

struct exponential_metrics {
	const struct exponential_pool *pool; /* NULL: there are no families */
	struct family *family[FAMILIES];
};

struct exponential_metrics *exponential_metrics_new(struct registry *r)
{
	struct exponential_metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->pool = registry_exponentials(r);
	if (!m->pool || registry_families(r, descs, FAMILIES, m->family) == 0)
		return m;
	exponential_metrics_free(m);
	return NULL;
}

void exponential_metrics_free(struct exponential_metrics *m)
{
	free(m);
}

void exponential_metrics_refresh(struct exponential_metrics *m)
{
	if (!m->pool)
		return;
	family_set(m->family[BYTES], (double)(m->pool->groups * sizeof(struct exponential_group)));
	family_set(m->family[DOWNSCALED], (double)m->pool->halvings);
	family_set(m->family[UNPLACED], (double)m->pool->unplaced);
}
