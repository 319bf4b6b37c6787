/* SPDX-License-Identifier: Apache-2.0 */
/* The open connections of the targets: listed by the broker when somebody looks, and counted. */
#ifndef SIDELIGHT_AGENT_CONNECTIONS_H
#define SIDELIGHT_AGENT_CONNECTIONS_H

#include "broker/link.h"
#include "metrics/red.h"
#include "metrics/round_trips.h"
#include "metrics/tcp_sockets.h"
#include "metrics/watch.h"
#include "txn/engine.h"

/* Everything but sockets is borrowed. Zeroed, it may be released. */
struct connections {
	struct tcp_sockets *sockets; /* owned */
	struct round_trips *ended; /* owned */
	struct engine *engine;
	struct link *link;
};

/* red knows the names of containers. Returns 0 or -ENOMEM. */
int connections_init(struct connections *c, struct registry *r, struct red *red);
/*
 * In a Pod: counts the connections that are older than the watch. One that is made just now may be
 * counted here although it is watched.
 */
void connections_count_before(struct watch *watch);
/* Before the first event. engine outlives it. */
void connections_start(struct connections *c, struct engine *engine, struct link *link);
void connections_release(struct connections *c);

/* The broker has listed these, for link_ops. */
void connections_add(struct connections *c, const struct channel_socket *sockets, size_t count);
/* A connection has ended, and the engine has not handled that yet. */
void connections_closed(struct connections *c, uint64_t conn_id, const struct event_close *close);

/*
 * The smoothed round-trip time of a connection, as the kernel last listed it, or at its end; 0: not
 * known.
 */
uint32_t connections_round_trip_us(const struct connections *c, uint64_t conn_id);

/* Has a list made; ctx is the struct connections. */
void connections_list(void *ctx);
/* Likewise, before somebody reads the metrics: waits for it if it is short. */
void connections_refresh(struct connections *c);

#endif
