/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/watch.h"

#include <stdlib.h>

enum family_id { CGROUPS, UNSEEN_NOW, UNSEEN_FOUND, LOOKS, LOOKS_CUT, JOINED, BEFORE, FAMILIES };

static const char *const labels[] = {"container", "reason"};

static const struct family_desc descs[FAMILIES] = {
	[CGROUPS] = {.name = "sidelight_watched_cgroups",
		     .help = "Cgroups that are watched now; 0: what was to be watched is not "
			     "there.",
		     .type = METRIC_GAUGE},
	[UNSEEN_NOW] = {.name = "sidelight_unseen_sockets",
			.help = "Sockets whose traffic does not pass the hooks, at the last look.",
			.type = METRIC_GAUGE,
			.label_names = labels,
			.label_count = 2},
	[UNSEEN_FOUND] = {.name = "sidelight_unseen_sockets_found_total",
			  .help = "Such sockets, each counted at the look that found it.",
			  .type = METRIC_COUNTER,
			  .label_names = labels,
			  .label_count = 2},
	[LOOKS] = {.name = "sidelight_socket_looks_total",
		   .help = "Looks at the sockets of what is watched.",
		   .type = METRIC_COUNTER},
	[LOOKS_CUT] = {.name = "sidelight_socket_looks_cut_total",
		       .help = "Looks at the sockets that ended before all were looked at.",
		       .type = METRIC_COUNTER},
	[JOINED] = {.name = "sidelight_connections_joined_total",
		    .help = "Connections that were there before they were watched; what they "
			    "asked before is not counted.",
		    .type = METRIC_COUNTER},
	[BEFORE] = {.name = "sidelight_connections_before_start",
		    .help = "TCP connections of the Pod that were made before its containers were "
			    "watched.",
		    .type = METRIC_GAUGE},
};

static const char *const reasons[UNSEEN_MAX] = {
	[UNSEEN_OTHER_CGROUP] = "other_cgroup",
	[UNSEEN_SOCKMAP] = "sockmap",
	[UNSEEN_NO_SEGMENT] = "no_segment",
};

struct watch {
	struct family *family[FAMILIES];
	uint64_t unseen; /* sum of all series of UNSEEN_NOW */
};

struct watch *watch_new(struct registry *r)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (registry_families(r, descs, FAMILIES, w->family)) {
		watch_free(w);
		return NULL;
	}
	series_add(family_series(w->family[JOINED], NULL), 0);
	return w;
}

void watch_free(struct watch *w)
{
	free(w);
}

void watch_cgroups(struct watch *w, unsigned count)
{
	family_set(w->family[CGROUPS], count);
}

void watch_target(struct watch *w, const char *container)
{
	for (int i = 0; i < UNSEEN_MAX; i++) {
		const char *values[] = {container, reasons[i]};

		(void)family_series(w->family[UNSEEN_NOW], values);
		(void)family_series(w->family[UNSEEN_FOUND], values);
	}
}

void watch_unseen(struct watch *w, const char *container, const uint32_t now[UNSEEN_MAX],
		  const uint32_t added[UNSEEN_MAX])
{
	for (int i = 0; i < UNSEEN_MAX; i++) {
		const char *values[] = {container, reasons[i]};

		struct series *s = family_series(w->family[UNSEEN_NOW], values);

		w->unseen += now[i] - (uint64_t)s->value;
		series_set(s, now[i]);
		series_add(family_series(w->family[UNSEEN_FOUND], values), added[i]);
	}
}

uint64_t watch_unseen_now(const struct watch *w)
{
	return w->unseen;
}

void watch_looks(struct watch *w, uint64_t count, uint64_t cut)
{
	family_set(w->family[LOOKS], (double)count);
	family_set(w->family[LOOKS_CUT], (double)cut);
}

void watch_joined(struct watch *w)
{
	series_add(family_series(w->family[JOINED], NULL), 1);
}

void watch_before(struct watch *w, uint64_t count)
{
	family_set(w->family[BEFORE], (double)count);
}
