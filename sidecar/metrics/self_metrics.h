/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics about ourselves and about TCP. Everything but self_metrics_tcp_close() is
 * done when somebody is about to read them; between two reads they cost
 * nothing.
 */
#ifndef SIDELIGHT_METRICS_SELF_METRICS_H
#define SIDELIGHT_METRICS_SELF_METRICS_H

#include <stdint.h>

#include "base/usage.h"
#include "capture/event.h"
#include "capture/source.h"
#include "metrics/push_stats.h"
#include "metrics/registry.h"
#include "metrics/scrape_stats.h"
#include "txn/engine.h"

struct self_metrics;

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct self_metrics *self_metrics_new(struct registry *r);
/* Accepts NULL. */
void self_metrics_free(struct self_metrics *self);

/*
 * The kernel's counters of one cgroup: SL_C_MAX values in the order of
 * enum sl_counter, summed over CPUs. `id` is the number the cgroup was
 * attached with; `name` its container's. A restarted container is a new id
 * with the same name: its counts are added to those of its predecessor. At
 * most 64 ids are followed; then the one whose last report is oldest is forgotten.
 */
void self_metrics_kernel(struct self_metrics *self, uint64_t id, const char *name,
			 const uint64_t *counters);
/* Connections that were accepted or made, by the counters reported so far. */
uint64_t self_metrics_connections(const struct self_metrics *self);

/* Since the start: malformed records of the source, and its requests for a frame boundary that were
 * answered. */
void self_metrics_source(struct self_metrics *self, struct source_counters counters);
/* What others than connections have of the memory budget. */
void self_metrics_reserve(struct self_metrics *self, size_t bytes);
/* What our memory cgroup is charged; 0: there is none. */
void self_metrics_memory(struct self_metrics *self, uint64_t charged_bytes);

/* What the broker (broker/broker.h) has used: it is added to what this process has. */
void self_metrics_broker(struct self_metrics *self, const struct usage *used);

/* Values are collected from now on: the time that readers are given. Call it before what is
 * collected is looked at. */
void self_metrics_collect(struct self_metrics *self);

/* How the scrapes went, since the start. */
void self_metrics_scrape(struct self_metrics *self, const struct scrape_stats *stats);

/* A connection has ended: its round-trip time. */
void self_metrics_tcp_close(struct self_metrics *self, const struct event_close *close);

/* Brings everything else up to date. Either may be NULL: no engine, no pushing. */
void self_metrics_refresh(struct self_metrics *self, const struct engine_stats *engine,
			  const struct push_stats *push);

#endif
