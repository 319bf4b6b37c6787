/* SPDX-License-Identifier: Apache-2.0 */
/* What native histograms take, and what their bounds cost, as metrics. */
#ifndef SIDELIGHT_METRICS_EXPONENTIAL_METRICS_H
#define SIDELIGHT_METRICS_EXPONENTIAL_METRICS_H

#include "metrics/registry.h"

struct exponential_metrics;

/* Adds its families to r, which must outlive it, if r has such histograms. NULL: no memory. */
struct exponential_metrics *exponential_metrics_new(struct registry *r);
/* Accepts NULL. */
void exponential_metrics_free(struct exponential_metrics *m);

void exponential_metrics_refresh(struct exponential_metrics *m);

#endif
