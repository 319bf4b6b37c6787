/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics about ourselves and about TCP. Everything but self_tcp_close() is
 * done when somebody is about to read them; between two reads they cost
 * nothing.
 */
#ifndef SIDELIGHT_METRICS_SELF_H
#define SIDELIGHT_METRICS_SELF_H

#include <stdint.h>

#include "base/usage.h"
#include "capture/event.h"
#include "metrics/push_stats.h"
#include "metrics/registry.h"
#include "metrics/scrape_stats.h"
#include "txn/engine.h"

struct self;

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct self *self_new(struct registry *r);
/* Accepts NULL. */
void self_free(struct self *self);

/*
 * The kernel's counters of one cgroup: SL_C_MAX values in the order of
 * enum sl_counter, summed over CPUs. `id` is the number the cgroup was
 * attached with; `name` its container's. A restarted container is a new id
 * with the same name: its counts are added to those of its predecessor. At
 * most 64 ids are followed; then the one least recently told is forgotten.
 */
void self_kernel(struct self *self, uint64_t id, const char *name, const uint64_t *counters);
/* Connections that were accepted or made, as far as the kernel half's counters have been told. */
uint64_t self_connections(const struct self *self);

/* Since the start: records of the ring that made no sense, and questions of the kernel half that
 * were answered. */
void self_ring(struct self *self, uint64_t malformed, uint64_t answers);
/* What our memory cgroup is charged; 0: there is none. */
void self_memory(struct self *self, uint64_t charged_bytes);

/* What the broker (broker/broker.h) has used: it is added to what this process has. */
void self_broker(struct self *self, const struct usage *used);

/* Values are collected from now on: the time that readers are told. Call it before what is
 * collected is looked at. */
void self_collect(struct self *self);

/* How the scrapes went, since the start. */
void self_scrape(struct self *self, const struct scrape_stats *stats);

/* A connection has ended: round-trip time and retransmissions. */
void self_tcp_close(struct self *self, const struct event_close *close);

/* Brings everything else up to date. Either may be NULL: no engine, no pushing. */
void self_refresh(struct self *self, const struct engine_stats *engine,
		  const struct push_stats *push);

#endif
