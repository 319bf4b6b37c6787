/* SPDX-License-Identifier: Apache-2.0 */
/* How the readers of the control socket fare, for the self metrics; export/control.h fills it. */
#ifndef SIDELIGHT_METRICS_CONTROL_STATS_H
#define SIDELIGHT_METRICS_CONTROL_STATS_H

#include <stdint.h>

/* Why a client of the control socket did not get what it asked for. */
enum control_refusal {
	CONTROL_REFUSED_READERS, /* there are as many readers as may be */
	CONTROL_REFUSED_CONNECTIONS, /* its connection made room for another one */
	CONTROL_REFUSED_MAX,
};

struct control_stats {
	uint64_t readers; /* now */
	uint64_t lines; /* requests that readers were given */
	uint64_t lines_lost; /* recorded requests that were gone when a reader could take them */
	uint64_t windows_lost; /* windows of /routes that were not given to their reader */
	uint64_t buffer_bytes; /* that readers have not taken, now */
	uint64_t refused[CONTROL_REFUSED_MAX];
};

/* "readers", "connections" */
static inline const char *control_refusal_name(enum control_refusal reason)
{
	static const char *const names[CONTROL_REFUSED_MAX] = {"readers", "connections"};

	return names[reason];
}

#endif
