/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/header_lists.h"

#include <errno.h>
#include <string.h>

#include "metrics/header_lists.h"

/* Less than HEADER_LISTS_KEPT_MS of the broker. */
#define ASK_MS 3000

int header_lists_agent_init(struct header_lists_agent *a, struct registry *r)
{
	*a = (struct header_lists_agent){.family = header_lists_family(r)};
	return a->family ? 0 : -ENOMEM;
}

static struct sl_list_end end_of(const struct endpoint *e)
{
	struct sl_list_end ret = {.family = e->family, .port = e->port};

	memcpy(ret.addr, e->addr, sizeof(ret.addr));
	return ret;
}

static void send_wanted(struct header_lists_agent *a)
{
	link_want_lists(a->link, a->wanted, a->count);
	a->count = 0;
}

static void on_wanting(void *ctx, const struct endpoint *local, const struct endpoint *remote)
{
	struct header_lists_agent *a = ctx;

	if (!local->family || !remote->family)
		return;
	a->wanted[a->count++] = (struct sl_list_ends){{end_of(local), end_of(remote)}};
	if (a->count == CHANNEL_WANTED_MAX)
		send_wanted(a);
}

static void on_timer(uv_timer_t *timer)
{
	struct header_lists_agent *a = timer->data;

	if (!engine_wants_lists(a->engine)) {
		(void)uv_timer_stop(timer); /* cannot fail */
		return;
	}
	engine_each_wanting_lists(a->engine, uv_hrtime(), on_wanting, a);
	if (a->count)
		send_wanted(a);
}

void header_lists_agent_start(struct header_lists_agent *a, uv_loop_t *loop, struct engine *engine,
			      struct link *link)
{
	a->engine = engine;
	a->link = link;
	(void)uv_timer_init(loop, &a->timer); /* cannot fail */
	a->timer.data = a;
	a->has_timer = true;
}

void header_lists_agent_stop(struct header_lists_agent *a)
{
	if (a->has_timer)
		uv_close((uv_handle_t *)&a->timer, NULL);
	a->has_timer = false;
}

void header_lists_agent_wanted(struct header_lists_agent *a)
{
	if (a->has_timer && !uv_is_active((uv_handle_t *)&a->timer))
		(void)uv_timer_start(&a->timer, on_timer, 0, ASK_MS); /* cannot fail */
}

static struct endpoint endpoint_of(const struct sl_list_end *end)
{
	struct endpoint ret = {.family = end->family, .port = end->port};

	memcpy(ret.addr, end->addr, sizeof(ret.addr));
	return ret;
}

void header_lists_agent_message(struct header_lists_agent *a, const struct channel_message *m)
{
	const struct header_list list = {
		.ends = {endpoint_of(&m->header_list.ends.end[0]),
			 endpoint_of(&m->header_list.ends.end[1])},
		.role = m->header_list.is_server ? ROLE_SERVER : ROLE_CLIENT,
		.dir = m->header_list.is_written ? DIR_EGRESS : DIR_INGRESS,
		.list = {.stream = m->header_list.stream,
			 .is_end = m->header_list.is_end,
			 .text = {m->header_list.text, m->header_list.bytes}}};

	engine_add_header_list(a->engine, &list);
}

void header_lists_agent_lost(struct header_lists_agent *a, uint64_t count)
{
	a->lost = count;
}

void header_lists_agent_refresh(struct header_lists_agent *a)
{
	header_lists_refresh(a->family, engine_stats(a->engine), a->lost);
}
