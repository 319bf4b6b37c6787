/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connections.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "pod/network.h"

/* A list of a thousand connections takes five; a longer one is in the next page. */
#define LIST_WAIT_MS 50

static const char *container_name(void *ctx, uint64_t id)
{
	return red_container_name(ctx, id);
}

int connections_init(struct connections *c, struct registry *r, struct red *red)
{
	c->sockets = tcp_sockets_new(r, container_name, red);
	c->ended = calloc(1, sizeof(*c->ended));
	return c->sockets && c->ended ? 0 : -ENOMEM;
}

void connections_start(struct connections *c, struct engine *engine, struct link *link)
{
	tcp_sockets_charge(c->sockets, engine_memory(engine));
	c->engine = engine;
	c->link = link;
}

void connections_release(struct connections *c)
{
	tcp_sockets_free(c->sockets);
	c->sockets = NULL;
	free(c->ended);
	c->ended = NULL;
}

void connections_add(struct connections *c, const struct channel_socket *sockets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		tcp_sockets_add(c->sockets, &sockets[i]);
}

void connections_closed(struct connections *c, uint64_t conn_id, const struct event_close *close)
{
	struct engine_conn conn = {0};
	struct tcp_ended ended = {0};

	if (close->srtt_us)
		round_trips_keep(c->ended, conn_id, close->srtt_us);
	if (!close->retransmits)
		return; /* as nearly always */
	if (engine_find_conn(c->engine, conn_id, &conn))
		ended = (struct tcp_ended){conn.container, conn.role, &conn.remote};
	tcp_sockets_closed(c->sockets, conn_id, close->retransmits, &ended);
}

uint32_t connections_round_trip_us(const struct connections *c, uint64_t conn_id)
{
	uint32_t us = tcp_sockets_round_trip_us(c->sockets, conn_id);

	return us ? us : round_trips_find(c->ended, conn_id);
}

void connections_list(void *ctx)
{
	link_list(((struct connections *)ctx)->link, 0);
}

void connections_refresh(struct connections *c)
{
	link_list(c->link, LIST_WAIT_MS);
}

void connections_count_before(struct watch *watch)
{
	uint64_t count;

	if (network_connections("", &count))
		return;
	watch_before(watch, count);
	if (count)
		log_info("pod: %" PRIu64
			 " TCP connections of this Pod are older than the watch: what "
			 "was asked on them before is not counted",
			 count);
}
