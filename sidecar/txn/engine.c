/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/engine.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "flow/conn.h"
#include "txn/http2_session.h"
#include "txn/live_secrets.h"
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

const char *engine_list_name(unsigned what)
{
	static const char *const names[ENGINE_LIST_MAX] = {
		[HTTP2_RECALLED_LEARNED] = "learned",
		[HTTP2_RECALLED_UNNEEDED] = "unneeded",
		[HTTP2_RECALLED_MISMATCH] = "mismatch",
		[HTTP2_RECALLED_DROPPED] = "dropped",
		[ENGINE_LIST_NO_CONNECTION] = "no_connection",
		[ENGINE_LIST_AMBIGUOUS] = "ambiguous",
		[ENGINE_LIST_TOO_MANY] = "too_many",
	};

	return names[what];
}

struct engine *engine_new(const struct engine_options *options, const char **ret_error)
{
	struct engine *e = calloc(1, sizeof(*e));

	*ret_error = "out of memory";
	if (!e)
		return NULL;
	e->env.on_frame = options->on_frame;
	e->env.on_unneeded = options->on_unneeded;
	e->env.on_lists_wanted = options->on_lists_wanted;
	e->env.source_ctx = options->source_ctx;
	e->env.number = ++engine_count;
	header_capture_init(&e->env.headers);
	memory_budget_init(&e->memory,
			   options->memory_cap ? options->memory_cap : ENGINE_MEMORY_DEFAULT);
	e->conns = conns_new(options->conn_cap, sizeof(struct session), &e->memory,
			     options->secrets ? &transport_sink : &session_sink, &e->env);
	if (options->secrets) {
		e->env.tls = calloc(1, sizeof(*e->env.tls));
		if (!e->env.tls)
			goto fail;
		*e->env.tls = (struct tls_env){.secrets = options->secrets,
					       .has_all_secrets = !options->has_live_secrets,
					       .fetch = options->on_secrets_needed,
					       .fetch_ctx = options->source_ctx};
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
	header_capture_release(&e->env.headers);
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

void engine_want_headers(struct engine *e, struct header_wish *wish)
{
	header_capture_add(&e->env.headers, wish);
}

void engine_unwant_headers(struct engine *e, struct header_wish *wish)
{
	header_capture_remove(&e->env.headers, wish);
}

const struct header_wishes *engine_header_wishes(const struct engine *e)
{
	return &e->env.headers.wishes;
}

struct memory_budget *engine_memory(struct engine *e)
{
	return &e->memory;
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

void engine_add_secret(struct engine *e, const struct sl_secret *secret)
{
	if (e->env.tls)
		live_secrets_add(e->env.tls, secret);
}

bool engine_resume_secrets(struct engine *e, uint64_t time_ns)
{
	return !e->env.tls || live_secrets_resume(e->env.tls, time_ns);
}

/* Of one search among all connections. */
struct twins {
	const struct conn *conn;
	unsigned count;
};

static void count_twin(void *ctx, struct conn *c)
{
	struct twins *t = ctx;

	t->count += c != t->conn && endpoint_is(&c->local, &t->conn->local) &&
		    endpoint_is(&c->remote, &t->conn->remote);
}

/* Is there another one with these ends, in another network? New ones may have come. */
static bool has_twin(struct engine *e, struct http2_session *h)
{
	struct twins t = {.conn = http2_session_conn(h)};
	uint64_t now = conns_total(e->conns);

	if (!http2_session_is_checked(h, now))
		conns_each(e->conns, count_twin, &t);
	return http2_session_check(h, now, t.count > 0);
}

void engine_add_header_list(struct engine *e, const struct header_list *list)
{
	struct http2_session *h = http2_sessions_find(e->env.wanting.first, list);
	uint64_t *counts = e->env.stats.header_lists;

	if (!h)
		counts[ENGINE_LIST_NO_CONNECTION]++;
	else if (has_twin(e, h))
		counts[ENGINE_LIST_AMBIGUOUS]++;
	else
		http2_session_add_list(h, list);
}

bool engine_wants_lists(const struct engine *e)
{
	return e->env.wanting.count > 0;
}

void engine_each_wanting_lists(struct engine *e, uint64_t time_ns, engine_wants_lists_fn fn,
			       void *ctx)
{
	http2_sessions_each_wanting(&e->env, time_ns, fn, ctx);
}

unsigned engine_expire_secrets(struct engine *e, uint64_t time_ns)
{
	return e->env.tls ? live_secrets_expire(e->env.tls, time_ns) : 0;
}

bool engine_awaits_secrets(const struct engine *e)
{
	return e->env.tls && e->env.tls->waiting.count;
}

void engine_flush(struct engine *e, uint64_t time_ns)
{
	conns_flush(e->conns, time_ns);
}

const struct active *engine_actives(const struct engine *e)
{
	return e->env.actives.cell;
}

static void count_open(void *ctx, const struct open_request *request)
{
	(void)request;
	++*(uint64_t *)ctx;
}

bool engine_find_conn(const struct engine *e, uint64_t conn_id, struct engine_conn *ret_conn)
{
	struct conn *c = conns_find(e->conns, conn_id);

	if (!c)
		return false;
	*ret_conn = (struct engine_conn){
		.container = c->container,
		.role = c->role,
		.remote = c->remote,
		.requests = ((const struct session *)c->user)->requests,
	};
	open_requests_each(c, count_open, &ret_conn->requests_open);
	return true;
}

struct each_open {
	open_request_fn fn;
	void *ctx;
};

static void on_conn(void *ctx, struct conn *c)
{
	const struct each_open *each = ctx;

	open_requests_each(c, each->fn, each->ctx);
}

void engine_each_open(struct engine *e, open_request_fn fn, void *ctx)
{
	struct each_open each = {.fn = fn, .ctx = ctx};

	conns_each(e->conns, on_conn, &each);
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
