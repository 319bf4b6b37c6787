/* SPDX-License-Identifier: Apache-2.0 */
/* What the flight recorder keeps, and what it had no room for, as metrics. */
#ifndef SIDELIGHT_METRICS_RECORDER_METRICS_H
#define SIDELIGHT_METRICS_RECORDER_METRICS_H

#include "metrics/recorder.h"
#include "metrics/registry.h"

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct recorder_metrics *recorder_metrics_new(struct registry *r);
/* Accepts NULL. */
void recorder_metrics_free(struct recorder_metrics *m);

void recorder_metrics_refresh(struct recorder_metrics *m, const struct recorder_stats *stats);

#endif
