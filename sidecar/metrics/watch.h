/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is watched, and what of it cannot be seen.
 */
#ifndef SIDELIGHT_METRICS_WATCH_H
#define SIDELIGHT_METRICS_WATCH_H

#include <stdint.h>

#include "broker/channel.h"
#include "metrics/registry.h"

struct watch;

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct watch *watch_new(struct registry *r);
/* Accepts NULL. */
void watch_free(struct watch *w);

/* A target is watched: its series are there, and zero, before there is a reason. */
void watch_target(struct watch *w, const char *container);
/* Of one target, by reason: how many sockets there are now, and how many of them are new. */
void watch_unseen(struct watch *w, const char *container, const uint32_t now[UNSEEN_MAX],
		  const uint32_t added[UNSEEN_MAX]);
/* How many there are of all targets. */
uint64_t watch_unseen_now(const struct watch *w);
/* Looks at the sockets, and those of them that did not come to the end. */
void watch_looks(struct watch *w, uint64_t count, uint64_t cut);

/* Cgroups that programs are attached to, and that have not ended. */
void watch_cgroups(struct watch *w, unsigned count);
/* A connection that was there before it was watched. */
void watch_joined(struct watch *w);
/* All that were made in the Pod before the start; not called: it is not known how many. */
void watch_before(struct watch *w, uint64_t count);

#endif
