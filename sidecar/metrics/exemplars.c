/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/exemplars.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/duration.h"

enum result { STORED, HISTOGRAM_CAP, NO_MEMORY, RESULTS };

struct exemplars {
	int64_t offset_ns;
	size_t histograms; /* that have memory for exemplars */
	struct series *counted[RESULTS];
};

static const char *const labels[] = {"result"};
static const struct family_desc desc = {
	.name = "sidelight_exemplars_total",
	.help = "Exemplars that were stored, or could not be.",
	.type = METRIC_COUNTER,
	.label_names = labels,
	.label_count = 1,
};

struct exemplars *exemplars_new(struct registry *r)
{
	static const char *const results[RESULTS] = {"stored", "histogram_cap", "memory"};
	struct exemplars *x = calloc(1, sizeof(*x));
	struct family *family = registry_family(r, &desc);

	if (!x || !family) {
		free(x);
		return NULL;
	}
	for (int i = 0; i < RESULTS; i++)
		x->counted[i] = family_series(family, &results[i]);
	return x;
}

void exemplars_free(struct exemplars *x)
{
	free(x);
}

void exemplars_set_clock(struct exemplars *x, int64_t offset_ns)
{
	x->offset_ns = offset_ns;
}

static bool make_room(struct exemplars *x, struct histogram *h)
{
	if (h->exemplars)
		return true;
	if (x->histograms == EXEMPLARS_HISTOGRAMS_MAX) {
		series_add(x->counted[HISTOGRAM_CAP], 1);
		return false;
	}
	h->exemplars = calloc(METRIC_BUCKETS_MAX + 1, sizeof(*h->exemplars));
	if (!h->exemplars) {
		series_add(x->counted[NO_MEMORY], 1);
		return false;
	}
	x->histograms++;
	return true;
}

void exemplars_add(struct exemplars *x, struct histogram *h, size_t bucket,
		   const struct transaction *t)
{
	uint64_t time_ns = t->end_ns + (uint64_t)x->offset_ns;
	struct exemplar *e;

	if (!make_room(x, h))
		return;
	e = &h->exemplars[bucket];
	if (e->time_ns && time_ns - e->time_ns < EXEMPLARS_INTERVAL_NS)
		return;
	e->time_ns = time_ns;
	e->value = t->end_ns > t->start_ns ? (double)(t->end_ns - t->start_ns) / 1e9 : 0;
	memcpy(e->trace_id, t->trace->trace_id, sizeof(e->trace_id));
	memcpy(e->span_id, t->trace->span_id, sizeof(e->span_id));
	series_add(x->counted[STORED], 1);
}
