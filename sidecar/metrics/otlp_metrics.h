/* SPDX-License-Identifier: Apache-2.0 */
/* How the exports by OTLP went, as metrics. Without such exports there are none. */
#ifndef SIDELIGHT_METRICS_OTLP_METRICS_H
#define SIDELIGHT_METRICS_OTLP_METRICS_H

#include "metrics/otlp_stats.h"
#include "metrics/registry.h"

struct otlp_metrics;

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct otlp_metrics *otlp_metrics_new(struct registry *r);
/* Accepts NULL. */
void otlp_metrics_free(struct otlp_metrics *m);

void otlp_metrics_refresh(struct otlp_metrics *m, const struct otlp_stats *stats);

#endif
