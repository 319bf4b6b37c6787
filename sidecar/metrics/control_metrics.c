/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/control_metrics.h"

#include <stdlib.h>

enum family_id { READERS, LINES, LINES_LOST, WINDOWS_LOST, BUFFER_BYTES, REFUSED, FAMILIES };

static const char *const reason_labels[] = {"reason"};

static const struct family_desc descs[FAMILIES] = {
	[READERS] = {.name = "sidelight_control_readers",
		     .help = "Readers of requests at the control socket, now.",
		     .type = METRIC_GAUGE},
	[LINES] = {.name = "sidelight_control_lines_total",
		   .help = "Requests that readers of the control socket were given.",
		   .type = METRIC_COUNTER},
	[LINES_LOST] = {.name = "sidelight_control_lines_lost_total",
			.help = "Requests that were gone when a reader of the control socket could "
				"take them.",
			.type = METRIC_COUNTER},
	[WINDOWS_LOST] = {.name = "sidelight_control_windows_lost_total",
			  .help = "Windows of routes that their reader at the control socket was "
				  "not given: it had not read those before, or memory was short.",
			  .type = METRIC_COUNTER},
	[BUFFER_BYTES] = {.name = "sidelight_control_buffer_bytes",
			  .help = "What readers of the control socket have not taken, now.",
			  .type = METRIC_GAUGE},
	[REFUSED] = {.name = "sidelight_control_refused_total",
		     .help = "Clients of the control socket beyond the caps.",
		     .type = METRIC_COUNTER,
		     .label_names = reason_labels,
		     .label_count = 1},
};

struct control_metrics {
	struct family *family[FAMILIES];
};

struct control_metrics *control_metrics_new(struct registry *r)
{
	struct control_metrics *m = calloc(1, sizeof(*m));

	if (!m || registry_families(r, descs, FAMILIES, m->family) == 0)
		return m;
	control_metrics_free(m);
	return NULL;
}

void control_metrics_free(struct control_metrics *m)
{
	free(m);
}

void control_metrics_refresh(struct control_metrics *m, const struct control_stats *stats)
{
	family_set(m->family[READERS], (double)stats->readers);
	family_set(m->family[LINES], (double)stats->lines);
	family_set(m->family[LINES_LOST], (double)stats->lines_lost);
	family_set(m->family[WINDOWS_LOST], (double)stats->windows_lost);
	family_set(m->family[BUFFER_BYTES], (double)stats->buffer_bytes);
	for (int i = 0; i < CONTROL_REFUSED_MAX; i++) {
		const char *reason = control_refusal_name((enum control_refusal)i);

		series_set(family_series(m->family[REFUSED], &reason), (double)stats->refused[i]);
	}
}
