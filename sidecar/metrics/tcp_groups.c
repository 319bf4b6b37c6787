/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/tcp_groups.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metrics/tcp_sockets.h"
#include "txn/label_values.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define PORT_SIZE 8 /* "65535" */
/* Beside the servers: three roles of so many containers, and the _OTHER of each. */
#define GROUPS_MAX (TCP_SERVERS_MAX + 256)

enum family_id {
	OPEN,
	ROUND_TRIP_MEAN,
	ROUND_TRIP_MAX,
	ZERO_WINDOWS,
	LIMITED,
	RETRANSMITS,
	FAMILIES,
};

/* The last one is of ZERO_WINDOWS only. */
static const char *const labels[] = {"container", "role", "server_address", "server_port", "side"};
#define GROUP_LABELS 4

#define FAMILY(type_, count_, name_, help_)                                                        \
	{                                                                                          \
		.name = name_, .help = help_, .type = type_, .label_names = labels,                \
		.label_count = (count_),                                                           \
	}

static const struct family_desc descs[FAMILIES] = {
	[OPEN] = FAMILY(METRIC_GAUGE, GROUP_LABELS, "sidelight_tcp_connections_open",
			"Established connections, those without data too."),
	[ROUND_TRIP_MEAN] =
		FAMILY(METRIC_GAUGE, GROUP_LABELS, "sidelight_tcp_open_round_trip_mean_seconds",
		       "Mean of the smoothed round-trip times of open connections."),
	[ROUND_TRIP_MAX] =
		FAMILY(METRIC_GAUGE, GROUP_LABELS, "sidelight_tcp_open_round_trip_max_seconds",
		       "The longest smoothed round-trip time of open connections."),
	[ZERO_WINDOWS] =
		FAMILY(METRIC_GAUGE, GROUP_LABELS + 1, "sidelight_tcp_zero_window_connections",
		       "Open connections on which a side has a receive window of zero, "
		       "because its program does not read."),
	[LIMITED] = FAMILY(METRIC_COUNTER, GROUP_LABELS,
			   "sidelight_tcp_receive_window_limited_seconds_total",
			   "Time in which the peer's receive window kept this end from sending."),
	[RETRANSMITS] = FAMILY(METRIC_COUNTER, GROUP_LABELS, "sidelight_tcp_retransmits_total",
			       "Segments that this end sent again."),
};

static const char *const roles[] = {
	[ROLE_UNKNOWN] = "", [ROLE_SERVER] = "server", [ROLE_CLIENT] = "client"};

enum side { SIDE_LOCAL, SIDE_PEER, SIDES };
static const char *const sides[SIDES] = {"local", "peer"};

/* Compared as bytes: zeroed before use. */
struct key {
	uint64_t container; /* hash of its name: a container that starts again is another target */
	struct endpoint server; /* family 0: none */
	uint8_t role;
	uint8_t is_other; /* a server beyond the bound */
};

struct tcp_group {
	UT_hash_handle hh;
	struct key key;
	struct series *series[FAMILIES]; /* ZERO_WINDOWS: NULL */
	struct series *zero_windows[SIDES];
	/* Of the list that ends: */
	uint64_t open;
	uint64_t with_round_trip;
	double round_trip_sum;
	double round_trip_max;
	uint64_t zero[SIDES];
};

struct tcp_groups {
	struct family *family[FAMILIES];
	const char *(*name)(void *ctx, uint64_t id);
	void *ctx;
	struct tcp_group *groups;
	size_t servers;
	struct tcp_group rest; /* where memory or room is missing: all labels are _OTHER */
};

static void set_series(struct tcp_groups *g, struct tcp_group *group, const char *const *values)
{
	const char *with_side[GROUP_LABELS + 1];

	for (int i = 0; i < FAMILIES; i++)
		group->series[i] = i == ZERO_WINDOWS ? NULL : family_series(g->family[i], values);
	memcpy(with_side, values, GROUP_LABELS * sizeof(*values));
	for (int i = 0; i < SIDES; i++) {
		with_side[GROUP_LABELS] = sides[i];
		group->zero_windows[i] = family_series(g->family[ZERO_WINDOWS], with_side);
	}
}

struct tcp_groups *tcp_groups_new(struct registry *r, const char *(*name)(void *ctx, uint64_t id),
				  void *ctx)
{
	struct tcp_groups *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->name = name;
	g->ctx = ctx;
	if (registry_families(r, descs, FAMILIES, g->family) == 0)
		return g;
	free(g);
	return NULL;
}

void tcp_groups_free(struct tcp_groups *g)
{
	struct tcp_group *group;
	struct tcp_group *next;

	if (!g)
		return;
	HASH_ITER (hh, g->groups, group, next) {
		HASH_DEL(g->groups, group);
		free(group);
	}
	free(g);
}

static struct tcp_group *rest_of(struct tcp_groups *g)
{
	static const char *const values[] = {LABEL_OTHER, LABEL_OTHER, LABEL_OTHER, LABEL_OTHER};

	if (!g->rest.series[OPEN])
		set_series(g, &g->rest, values);
	return &g->rest;
}

static struct tcp_group *find(const struct tcp_groups *g, const struct key *key)
{
	struct tcp_group *group = NULL;

	HASH_FIND(hh, g->groups, key, sizeof(*key), group);
	return group;
}

static void name_server(const struct key *key, char *address, char *port)
{
	if (key->is_other) {
		(void)snprintf(address, INET6_ADDRSTRLEN, "%s", LABEL_OTHER); /* shorter */
	} else if (key->server.family) {
		(void)inet_ntop(key->server.family == 6 ? AF_INET6 : AF_INET, key->server.addr,
				address, INET6_ADDRSTRLEN);
		(void)snprintf(port, PORT_SIZE, "%u", key->server.port);
	}
}

static struct tcp_group *add(struct tcp_groups *g, const struct key *key, const char *container)
{
	char address[INET6_ADDRSTRLEN] = "";
	char port[PORT_SIZE] = "";
	const char *const values[] = {container, roles[key->role], address, port};
	struct tcp_group *group =
		HASH_COUNT(g->groups) < GROUPS_MAX ? calloc(1, sizeof(*group)) : NULL;

	if (!group)
		return rest_of(g);
	memcpy(&group->key, key, sizeof(*key)); /* with its padding */
	HASH_ADD(hh, g->groups, key, sizeof(group->key), group);
	if (!group->hh.tbl) {
		free(group);
		return rest_of(g);
	}
	name_server(key, address, port);
	set_series(g, group, values);
	g->servers += key->server.family != 0;
	return group;
}

struct tcp_group *tcp_groups_find(struct tcp_groups *g, uint64_t container, enum role role,
				  const struct endpoint *remote)
{
	const char *name = g->name(g->ctx, container);
	struct tcp_group *group;
	struct key key;

	memset(&key, 0, sizeof(key));
	key.container = hash_bytes(name, strlen(name), 0);
	key.role = (uint8_t)role;
	if (role == ROLE_CLIENT && remote) {
		key.server.family = remote->family;
		key.server.port = remote->port;
		memcpy(key.server.addr, remote->addr, sizeof(key.server.addr));
	}
	group = find(g, &key);
	if (!group && key.server.family && g->servers >= TCP_SERVERS_MAX) {
		memset(&key.server, 0, sizeof(key.server));
		key.is_other = true;
		group = find(g, &key);
	}
	return group ? group : add(g, &key, name);
}

void tcp_group_count(struct tcp_group *group, const struct channel_socket *before,
		     const struct channel_socket *now)
{
	if (now->retransmits > before->retransmits)
		tcp_group_retransmits(group, now->retransmits - before->retransmits);
	if (now->window_limited_us > before->window_limited_us)
		series_add(group->series[LIMITED],
			   (double)(now->window_limited_us - before->window_limited_us) / 1e6);
}

void tcp_group_retransmits(struct tcp_group *group, uint32_t count)
{
	series_add(group->series[RETRANSMITS], count);
}

static void clear(struct tcp_group *group)
{
	group->open = group->with_round_trip = 0;
	group->round_trip_sum = group->round_trip_max = 0;
	group->zero[SIDE_LOCAL] = group->zero[SIDE_PEER] = 0;
}

void tcp_groups_clear(struct tcp_groups *g)
{
	for (struct tcp_group *group = g->groups; group; group = group->hh.next)
		clear(group);
	clear(&g->rest);
}

void tcp_group_add(struct tcp_group *group, const struct channel_socket *s)
{
	double seconds = s->srtt_us / 1e6;

	group->open++;
	group->with_round_trip += s->srtt_us != 0;
	group->round_trip_sum += seconds;
	if (seconds > group->round_trip_max)
		group->round_trip_max = seconds;
	group->zero[SIDE_PEER] += s->send_window == 0;
	group->zero[SIDE_LOCAL] += s->has_receive_window && s->receive_window == 0;
}

/* Series may be shared with other groups, beyond the cap of series. */
static void add_values(const struct tcp_group *group)
{
	struct series *max = group->series[ROUND_TRIP_MAX];

	series_add(group->series[OPEN], (double)group->open);
	if (group->with_round_trip)
		series_set(group->series[ROUND_TRIP_MEAN],
			   group->round_trip_sum / (double)group->with_round_trip);
	if (group->round_trip_max > max->value)
		series_set(max, group->round_trip_max);
	for (int i = 0; i < SIDES; i++)
		series_add(group->zero_windows[i], (double)group->zero[i]);
}

void tcp_groups_set(struct tcp_groups *g)
{
	static const enum family_id gauges[] = {OPEN, ROUND_TRIP_MEAN, ROUND_TRIP_MAX,
						ZERO_WINDOWS};

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		family_clear(g->family[gauges[i]]);
	for (const struct tcp_group *group = g->groups; group; group = group->hh.next)
		add_values(group);
	if (g->rest.series[OPEN])
		add_values(&g->rest);
}
