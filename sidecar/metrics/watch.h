/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is watched, and what of it cannot be seen: sidelight_watched_cgroups.
 */
#ifndef SIDELIGHT_METRICS_WATCH_H
#define SIDELIGHT_METRICS_WATCH_H

#include "metrics/registry.h"

struct watch;

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct watch *watch_new(struct registry *r);
/* Accepts NULL. */
void watch_free(struct watch *w);

/* Cgroups that programs are attached to, and that have not ended. */
void watch_cgroups(struct watch *w, unsigned count);

#endif
