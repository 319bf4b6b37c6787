/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/tcp_sockets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/tcp_groups.h"
#include "txn/label_values.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Connections that have ended with retransmissions, whose list may still be on its way. */
#define ENDED_MAX 64

enum family_id { LISTS, LISTS_CUT, FAMILIES };

static const struct family_desc descs[FAMILIES] = {
	[LISTS] = {.name = "sidelight_tcp_lists_total",
		   .help = "Lists of open connections that were made.",
		   .type = METRIC_COUNTER},
	[LISTS_CUT] = {.name = "sidelight_tcp_lists_cut_total",
		       .help = "Those of them in which connections are missing.",
		       .type = METRIC_COUNTER},
};

struct entry {
	UT_hash_handle hh;
	uint64_t key; /* conn_id, or the cookie of a connection without */
	uint64_t list; /* the last one that it was in */
	struct tcp_group *group; /* borrowed; its container, role and server */
	struct channel_socket socket;
};

struct tcp_sockets {
	struct family *family[FAMILIES];
	struct tcp_groups *groups;
	struct entry *entries;
	struct memory_account account; /* of the entries */
	uint64_t list; /* number of the list that is coming, or will come next */
	bool is_cut; /* the last list */
	bool is_full; /* the list that is coming has more than there is room for */
	uint64_t ended[ENDED_MAX]; /* conn_id */
	size_t ended_next;
};

struct tcp_sockets *tcp_sockets_new(struct registry *r, const char *(*name)(void *ctx, uint64_t id),
				    void *ctx)
{
	struct tcp_sockets *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->list = 1;
	t->groups = tcp_groups_new(r, name, ctx);
	if (t->groups && registry_families(r, descs, FAMILIES, t->family) == 0)
		return t;
	tcp_sockets_free(t);
	return NULL;
}

static void remove_entry(struct tcp_sockets *t, struct entry *e)
{
	HASH_DEL(t->entries, e);
	memory_free(&t->account, e);
}

void tcp_sockets_charge(struct tcp_sockets *t, struct memory_budget *budget)
{
	t->account.budget = budget;
}

/* A list is for those who look: no connection is given up for it. */
static bool has_room(const struct tcp_sockets *t)
{
	const struct memory_budget *b = t->account.budget;
	size_t bytes = sizeof(struct entry);

	if (HASH_COUNT(t->entries) >= TCP_SOCKETS_MAX)
		return false;
	return !b || (t->account.used + bytes <= b->account_cap && b->used + bytes <= b->cap);
}

void tcp_sockets_free(struct tcp_sockets *t)
{
	struct entry *e;
	struct entry *next;

	if (!t)
		return;
	HASH_ITER (hh, t->entries, e, next)
		remove_entry(t, e);
	tcp_groups_free(t->groups);
	free(t);
}

void tcp_sockets_container(struct tcp_sockets *t, uint64_t id)
{
	(void)tcp_groups_find(t->groups, id, ROLE_SERVER, NULL);
	(void)tcp_groups_find(t->groups, id, ROLE_CLIENT, NULL);
}

static struct endpoint endpoint_of(uint8_t family, const uint32_t *addr, uint16_t port)
{
	struct endpoint e = {.family = family, .port = port};

	memcpy(e.addr, addr, sizeof(e.addr));
	return e;
}

struct endpoint tcp_sockets_remote(const struct channel_socket *s)
{
	return endpoint_of(s->family, s->remote_addr, s->remote_port);
}

struct endpoint tcp_sockets_local(const struct channel_socket *s)
{
	return endpoint_of(s->family, s->local_addr, s->local_port);
}

static struct entry *find(const struct tcp_sockets *t, uint64_t key)
{
	struct entry *e = NULL;

	HASH_FIND(hh, t->entries, &key, sizeof(key), e);
	return e;
}

uint32_t tcp_sockets_round_trip_us(const struct tcp_sockets *t, uint64_t conn_id)
{
	const struct entry *e = find(t, conn_id);

	return e ? e->socket.srtt_us : 0;
}

static bool has_ended(const struct tcp_sockets *t, uint64_t conn_id)
{
	for (size_t i = 0; conn_id && i < ENDED_MAX; i++)
		if (t->ended[i] == conn_id)
			return true;
	return false;
}

static struct entry *add_entry(struct tcp_sockets *t, uint64_t key, const struct channel_socket *s)
{
	const struct endpoint remote = tcp_sockets_remote(s);
	struct entry *e = has_room(t) ? memory_calloc(&t->account, 1, sizeof(*e)) : NULL;

	if (!e)
		return NULL;
	e->key = key;
	e->group = tcp_groups_find(t->groups, s->number, (enum role)s->role, &remote);
	HASH_ADD(hh, t->entries, key, sizeof(e->key), e);
	if (e->hh.tbl)
		return e;
	memory_free(&t->account, e);
	return NULL;
}

void tcp_sockets_add(struct tcp_sockets *t, const struct channel_socket *s)
{
	uint64_t key = s->conn_id ? s->conn_id : s->cookie;
	struct entry *e = find(t, key);

	if (!e && has_ended(t, s->conn_id))
		return; /* it was listed before it ended, and its end has come first */
	if (!e)
		e = add_entry(t, key, s);
	if (!e) {
		t->is_full = true;
		return;
	}
	tcp_group_count(e->group, &e->socket, s);
	e->socket = *s;
	e->list = t->list;
}

void tcp_sockets_end(struct tcp_sockets *t, bool is_new, bool is_cut)
{
	struct entry *e;
	struct entry *next;

	if (!is_new)
		return;
	tcp_groups_clear(t->groups);
	HASH_ITER (hh, t->entries, e, next) {
		if (e->list != t->list)
			remove_entry(t, e);
		else
			tcp_group_add(e->group, &e->socket);
	}
	tcp_groups_set(t->groups);
	t->is_cut = is_cut || t->is_full;
	series_add(family_series(t->family[LISTS], NULL), 1);
	series_add(family_series(t->family[LISTS_CUT], NULL), t->is_cut);
	t->is_full = false;
	t->list++;
}

void tcp_sockets_closed(struct tcp_sockets *t, uint64_t conn_id, uint32_t retransmits,
			const struct tcp_ended *ended)
{
	struct entry *e;

	if (!retransmits)
		return; /* as nearly always: nothing was counted */
	e = find(t, conn_id);
	t->ended[t->ended_next++ % ENDED_MAX] = conn_id;
	if (!e) {
		tcp_group_retransmits(
			tcp_groups_find(t->groups, ended->container, ended->role, ended->remote),
			retransmits);
		return;
	}
	if (retransmits > e->socket.retransmits)
		tcp_group_retransmits(e->group, retransmits - e->socket.retransmits);
	remove_entry(t, e);
}

size_t tcp_sockets_count(const struct tcp_sockets *t)
{
	return HASH_COUNT(t->entries);
}

void tcp_sockets_each(const struct tcp_sockets *t,
		      bool (*fn)(void *ctx, const struct channel_socket *s), void *ctx)
{
	for (const struct entry *e = t->entries; e; e = e->hh.next)
		if (!fn(ctx, &e->socket))
			return;
}

bool tcp_sockets_is_cut(const struct tcp_sockets *t)
{
	return t->is_cut;
}
