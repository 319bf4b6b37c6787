/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of open connections by container, role and server. Of a client's connections the server
 * is the remote address and port; connections that a target has accepted have no such label,
 * because strangers choose their addresses. The number of servers is bounded; beyond it, their
 * labels are _OTHER.
 */
#ifndef SIDELIGHT_METRICS_TCP_GROUPS_H
#define SIDELIGHT_METRICS_TCP_GROUPS_H

#include <stdint.h>

#include "broker/channel.h"
#include "capture/event.h"
#include "metrics/registry.h"

struct tcp_group;
struct tcp_groups;

/* name: of a container, by the number of its target. NULL: no memory. */
struct tcp_groups *tcp_groups_new(struct registry *r, const char *(*name)(void *ctx, uint64_t id),
				  void *ctx);
/* Accepts NULL. */
void tcp_groups_free(struct tcp_groups *g);

/* Never NULL. remote may be NULL: not known, as is ROLE_UNKNOWN. Valid as long as g. */
struct tcp_group *tcp_groups_find(struct tcp_groups *g, uint64_t container, enum role role,
				  const struct endpoint *remote);

/* Counts what a connection has more than before; `before` is zeroed at its first time. */
void tcp_group_count(struct tcp_group *group, const struct channel_socket *before,
		     const struct channel_socket *now);
void tcp_group_retransmits(struct tcp_group *group, uint32_t count);

/* The gauges: begins anew, adds a connection, and sets them all. */
void tcp_groups_clear(struct tcp_groups *g);
void tcp_group_add(struct tcp_group *group, const struct channel_socket *s);
void tcp_groups_set(struct tcp_groups *g);

#endif
