/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of the control socket, as metrics. */
#ifndef SIDELIGHT_METRICS_CONTROL_METRICS_H
#define SIDELIGHT_METRICS_CONTROL_METRICS_H

#include "metrics/control_stats.h"
#include "metrics/registry.h"

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct control_metrics *control_metrics_new(struct registry *r);
/* Accepts NULL. */
void control_metrics_free(struct control_metrics *m);

void control_metrics_refresh(struct control_metrics *m, const struct control_stats *stats);

#endif
