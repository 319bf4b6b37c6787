/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/control_metrics.h"

#include <stdlib.h>

enum family_id { READERS, LINES, LINES_LOST, BUFFER_BYTES, REFUSED, FAMILIES };

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

	for (int i = 0; m && i < FAMILIES; i++) {
		m->family[i] = registry_family(r, &descs[i]);
		if (!m->family[i]) {
			control_metrics_free(m);
			return NULL;
		}
	}
	return m;
}

void control_metrics_free(struct control_metrics *m)
{
	free(m);
}

static void set(struct control_metrics *m, enum family_id family, uint64_t value)
{
	series_set(family_series(m->family[family], NULL), (double)value);
}

void control_metrics_refresh(struct control_metrics *m, const struct control_stats *stats)
{
	set(m, READERS, stats->readers);
	set(m, LINES, stats->lines);
	set(m, LINES_LOST, stats->lines_lost);
	set(m, BUFFER_BYTES, stats->buffer_bytes);
	for (int i = 0; i < CONTROL_REFUSED_MAX; i++) {
		const char *reason = control_refusal_name((enum control_refusal)i);

		series_set(family_series(m->family[REFUSED], &reason), (double)stats->refused[i]);
	}
}
