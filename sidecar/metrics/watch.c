/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/watch.h"

#include <stdlib.h>

struct watch {
	struct family *cgroups;
};

static const struct family_desc cgroups_desc = {
	.name = "sidelight_watched_cgroups",
	.help = "Cgroups that are watched now; 0: what was to be watched is not there.",
	.type = METRIC_GAUGE,
};

struct watch *watch_new(struct registry *r)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->cgroups = registry_family(r, &cgroups_desc);
	if (w->cgroups)
		return w;
	watch_free(w);
	return NULL;
}

void watch_free(struct watch *w)
{
	free(w);
}

void watch_cgroups(struct watch *w, unsigned count)
{
	series_set(family_series(w->cgroups, NULL), count);
}
