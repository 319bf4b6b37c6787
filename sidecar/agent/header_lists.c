/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/header_lists.h"

#include <errno.h>
#include <string.h>

#include "metrics/header_lists.h"

#define ASK_LEAST_NS UINT64_C(1000000000)

int header_lists_agent_init(struct header_lists_agent *a, struct registry *r)
{
	*a = (struct header_lists_agent){.family = header_lists_family(r)};
	return a->family ? 0 : -ENOMEM;
}

void header_lists_agent_start(struct header_lists_agent *a, struct engine *engine,
			      struct link *link)
{
	a->engine = engine;
	a->link = link;
}

void header_lists_agent_want(struct header_lists_agent *a)
{
	uint64_t now = uv_hrtime();

	if (a->asked_ns && now - a->asked_ns < ASK_LEAST_NS)
		return;
	a->asked_ns = now;
	link_want_lists(a->link);
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
		.ends = {endpoint_of(&m->header_list.end[0]), endpoint_of(&m->header_list.end[1])},
		.role = m->header_list.is_server ? ROLE_SERVER : ROLE_CLIENT,
		.dir = m->header_list.is_written ? DIR_EGRESS : DIR_INGRESS,
		.list = {.stream = m->header_list.stream,
			 .is_end = m->header_list.is_end,
			 .text = {m->header_list.text, m->header_list.bytes}}};

	a->lost = m->header_list.lost;
	engine_add_header_list(a->engine, &list);
}

void header_lists_agent_refresh(struct header_lists_agent *a)
{
	header_lists_refresh(a->family, engine_stats(a->engine), a->lost);
}
