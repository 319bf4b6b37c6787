/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open connections of the targets, as the kernel last listed them, and their metrics: by
 * container and role, and of connections that the target has made, by the address of the server.
 *
 * A list is made when somebody reads the metrics or the control socket. Counters get what a
 * connection's numbers have grown by since the list before, and at its end the rest.
 */
#ifndef SIDELIGHT_METRICS_TCP_SOCKETS_H
#define SIDELIGHT_METRICS_TCP_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "broker/channel.h"
#include "capture/event.h"
#include "metrics/registry.h"

/*
 * Connections that are kept, or fewer: the table is charged to the budget, has at most the share of
 * one account, and never evicts anybody. Further ones are not in the metrics, and the list counts
 * as cut.
 */
#define TCP_SOCKETS_MAX 16384
/* Addresses of servers that are labels; connections to others count as _OTHER. */
#define TCP_SERVERS_MAX 64

struct tcp_sockets;

/* name: of a container, by the number of its target; "": not known. NULL: no memory. */
struct tcp_sockets *tcp_sockets_new(struct registry *r, const char *(*name)(void *ctx, uint64_t id),
				    void *ctx);
void tcp_sockets_free(struct tcp_sockets *t);
/* The table is charged there from now on, while it is empty; outlives t. */
void tcp_sockets_charge(struct tcp_sockets *t, struct memory_budget *budget);

/* A container is watched: it has series from now on. */
void tcp_sockets_container(struct tcp_sockets *t, uint64_t id);

/* A connection of a list. */
void tcp_sockets_add(struct tcp_sockets *t, const struct channel_socket *s);
/* The list has ended. !is_new: there was none. */
void tcp_sockets_end(struct tcp_sockets *t, bool is_new, bool is_cut);

/* What is known of a connection that has ended; role: ROLE_UNKNOWN if nothing is. */
struct tcp_ended {
	uint64_t container;
	enum role role;
	const struct endpoint *remote; /* NULL: not known */
};

/* A connection has ended, with so many retransmissions. */
void tcp_sockets_closed(struct tcp_sockets *t, uint64_t conn_id, uint32_t retransmits,
			const struct tcp_ended *ended);

/* The connections of the last list, in no order. */
size_t tcp_sockets_count(const struct tcp_sockets *t);
/* Calls fn for each until it returns false. */
void tcp_sockets_each(const struct tcp_sockets *t,
		      bool (*fn)(void *ctx, const struct channel_socket *s), void *ctx);
bool tcp_sockets_is_cut(const struct tcp_sockets *t);

/* The smoothed round-trip time of a connection of the last list, in microseconds; 0: not known. */
uint32_t tcp_sockets_round_trip_us(const struct tcp_sockets *t, uint64_t conn_id);

/* The other end of a connection. */
struct endpoint tcp_sockets_remote(const struct channel_socket *s);
struct endpoint tcp_sockets_local(const struct channel_socket *s);

#endif
