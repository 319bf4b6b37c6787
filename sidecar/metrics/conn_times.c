/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/conn_times.h"

#include <stdlib.h>

#include "bpf/event.h"

#define SECONDS_OF_UNIT ((double)SL_TIME_UNIT_NS / 1e9)

static const char *const labels[] = {"container", "role"};
static const char *const roles[] = {[SL_ROLE_SERVER] = "server", [SL_ROLE_CLIENT] = "client"};

/* In seconds: those of SL_HANDSHAKE_BOUNDS_US and SL_LIFE_BOUNDS_MS. */
static const double handshake_bounds[SL_TIME_BOUNDS] = {.00003, .0001, .0003, .001, .003, .01,
							.03,	.1,    .3,    1,    3};
static const double life_bounds[SL_TIME_BOUNDS] = {.01, .1,  1,	   5,	  15,	60,
						   300, 900, 3600, 21600, 86400};

static const struct family_desc descs[SL_CONN_TIMES] = {
	[SL_TIME_HANDSHAKE] =
		{.name = "sidelight_tcp_handshake_seconds",
		 .help = "Round trip of the handshake: from the SYN to its answer, or "
			 "from the SYN-ACK.",
		 .type = METRIC_HISTOGRAM,
		 .label_names = labels,
		 .label_count = 2,
		 .bounds = handshake_bounds,
		 .bound_count = SL_TIME_BOUNDS,
		 .is_classic = true},
	[SL_TIME_LIFE] = {.name = "sidelight_tcp_connection_duration_seconds",
			  .help = "How long connections that have ended were open.",
			  .type = METRIC_HISTOGRAM,
			  .label_names = labels,
			  .label_count = 2,
			  .bounds = life_bounds,
			  .bound_count = SL_TIME_BOUNDS,
			  .is_classic = true},
};

static const double sum_units[SL_CONN_TIMES] = {
	[SL_TIME_HANDSHAKE] = 1e-6,
	[SL_TIME_LIFE] = SECONDS_OF_UNIT,
};

struct conn_times {
	struct family *family[SL_CONN_TIMES];
};

struct conn_times *conn_times_new(struct registry *r)
{
	struct conn_times *t = calloc(1, sizeof(*t));

	if (!t || registry_families(r, descs, SL_CONN_TIMES, t->family) == 0)
		return t;
	conn_times_free(t);
	return NULL;
}

void conn_times_free(struct conn_times *t)
{
	free(t);
}

static void add_histogram(struct family *f, const char *const *values, const uint64_t *now,
			  const uint64_t *last, double unit)
{
	struct histogram *h = NULL;

	for (int i = 0; i <= SL_TIME_BOUNDS; i++) {
		uint64_t added = now[i] > last[i] ? now[i] - last[i] : 0;

		if (!added)
			continue;
		if (!h)
			h = family_series(f, values)->histogram;
		h->bucket[i] += added;
		h->count += added;
	}
	if (h && now[SL_TIME_BOUNDS + 1] > last[SL_TIME_BOUNDS + 1])
		h->sum += (double)(now[SL_TIME_BOUNDS + 1] - last[SL_TIME_BOUNDS + 1]) * unit;
}

void conn_times_add(struct conn_times *t, const char *container, const uint64_t *counters,
		    const uint64_t *last)
{
	for (int time = 0; time < SL_CONN_TIMES; time++)
		for (int role = SL_ROLE_SERVER; role <= SL_ROLE_CLIENT; role++) {
			const char *const values[] = {container, roles[role]};
			size_t first = (size_t)SL_C_TIME(time, role);

			add_histogram(t->family[time], values, counters + first, last + first,
				      sum_units[time]);
		}
}
