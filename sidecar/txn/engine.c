/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/engine.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "flow/conn.h"
#include "txn/protocols.h"
#include "txn/session.h"
#include "txn/transport.h"

/* The maximum number of hosts with port in a client's metrics. */
#define ADDRESS_CAP 200

struct engine {
	struct memory_budget memory;
	struct conns *conns;
	struct session_env env;
};

/*
 * Numbers the engines, to mark entries in the parsers' caches: addresses are reused, numbers are
 * not.
 */
static uint64_t engine_count;

const char *engine_lost_name(enum engine_lost why)
{
	static const char *const names[ENGINE_LOST_MAX] = {
		[ENGINE_LOST_RESPONSE] = "response_gap",   [ENGINE_LOST_EVICTED] = "evicted",
		[ENGINE_LOST_PIPELINE] = "pipeline_depth", [ENGINE_LOST_MEMORY] = "memory",
		[ENGINE_LOST_STREAMS] = "stream_count",	   [ENGINE_LOST_REQUEST] = "request_gap",
	};

	return names[why];
}

struct engine *engine_new(const struct engine_options *options, const char **ret_error)
{
	struct engine *e = calloc(1, sizeof(*e));

	*ret_error = "out of memory";
	if (!e)
		return NULL;
	e->env.on_frame = options->on_frame;
	e->env.frame_ctx = options->frame_ctx;
	e->env.number = ++engine_count;
	memory_budget_init(&e->memory,
			   options->memory_cap ? options->memory_cap : ENGINE_MEMORY_DEFAULT);
	e->conns = conns_new(options->conn_cap, sizeof(struct session), &e->memory,
			     options->secrets ? &transport_sink : &session_sink, &e->env);
	if (options->secrets) {
		e->env.tls = calloc(1, sizeof(*e->env.tls));
		if (!e->env.tls)
			goto fail;
		*e->env.tls =
			(struct tls_env){.secrets = options->secrets, .has_all_secrets = true};
	}
	e->env.addresses = label_values_new(ADDRESS_CAP);
	e->env.rpc_methods = label_values_new(options->route_cap);
	e->env.route_names = label_values_new(options->route_cap);
	if (!e->conns || !e->env.addresses || !e->env.rpc_methods || !e->env.route_names)
		goto fail;
	e->env.routes = routes_new(e->env.route_names, options->route_templates, ret_error);
	if (!e->env.routes)
		goto fail;
	return e;
fail:
	engine_free(e);
	return NULL;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	/* The sinks may be freed already. */
	e->env.sinks = (struct sinks){0};
	if (e->conns)
		engine_flush(e, 0);
	conns_free(e->conns);
	assert(e->memory.used == 0);
	routes_free(e->env.routes);
	label_values_free(e->env.route_names);
	label_values_free(e->env.rpc_methods);
	label_values_free(e->env.addresses);
	call_pool_release(&e->env.calls);
	free(e->env.tls);
	free(e);
}

const char *engine_set_routes(struct engine *e, const char *templates)
{
	const char *error = routes_set(e->env.routes, templates);

	/* The parsers' caches contain routes of the old templates. */
	if (!error)
		e->env.number = ++engine_count;
	return error;
}

int engine_add_sink(struct engine *e, const struct txn_sink *sink, void *ctx)
{
	bool had_target = session_needs_target(&e->env);
	int err = sinks_add(&e->env.sinks, sink, ctx);

	/* Cached heads have no target: invalidate them. */
	if (!had_target && session_needs_target(&e->env))
		e->env.number = ++engine_count;
	return err;
}

void engine_remove_sink(struct engine *e, const struct txn_sink *sink, void *ctx)
{
	sinks_remove(&e->env.sinks, sink, ctx);
}

int engine_add_protocol(struct engine *e, const struct protocol_ops *ops)
{
	return protocols_add(&e->env.protocols, ops);
}

void engine_event(void *ctx, const struct event *ev)
{
	struct engine *e = ctx;

	if (ev->kind == EVENT_MUTE && ev->mute < SL_MUTE_MAX)
		e->env.stats.conns_muted[ev->mute]++;
	conns_event(e->conns, ev);
}

void engine_flush(struct engine *e, uint64_t time_ns)
{
	conns_flush(e->conns, time_ns);
}

const struct active *engine_actives(const struct engine *e)
{
	return e->env.actives.cell;
}

const struct engine_stats *engine_stats(struct engine *e)
{
	struct engine_stats *s = &e->env.stats;

	s->conns_open = conns_count(e->conns);
	s->conns_total = conns_total(e->conns);
	s->conns_evicted = conns_evicted(e->conns);
	s->events_refused = conns_refused(e->conns);
	s->ahead_dropped = conns_ahead_dropped(e->conns);
	s->routes_overflowed = label_values_overflowed(e->env.route_names) +
			       label_values_overflowed(e->env.rpc_methods);
	s->addresses_overflowed = label_values_overflowed(e->env.addresses);
	s->http2_table_bytes = e->env.http2_table_bytes;
	s->conns_evicted_memory = conns_evicted_memory(e->conns);
	s->memory_used = e->memory.used;
	s->memory_cap = e->memory.cap;
	s->memory_refused = e->memory.refused;
	if (e->env.tls)
		s->tls = e->env.tls->stats;
	return s;
}
