/* SPDX-License-Identifier: Apache-2.0 */
/* How long handshakes took, and how long connections lived: histograms that the BPF programs count.
 */
#ifndef SIDELIGHT_METRICS_CONN_TIMES_H
#define SIDELIGHT_METRICS_CONN_TIMES_H

#include <stdint.h>

#include "metrics/registry.h"

struct conn_times;

/* NULL: no memory. */
struct conn_times *conn_times_new(struct registry *r);
void conn_times_free(struct conn_times *t);

/* Adds what the counters of a cgroup (SL_C_MAX) have more than the last ones. */
void conn_times_add(struct conn_times *t, const char *container, const uint64_t *counters,
		    const uint64_t *last);

#endif
