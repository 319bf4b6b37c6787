/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/outcome.h"

#include "txn/candidate.h"
#include "txn/pairing.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

void outcome_doubt(struct session *s, unsigned trusted)
{
	s->doubts_next = false;
	/*
	 * Malformed bytes came again while requests before the first ones are open: their number
	 * is the smaller one, and stays.
	 */
	if (trusted && s->trusted)
		return;
	s->trusted = (uint16_t)trusted;
	if (trusted)
		return;
	s->has_missed = true;
	s->pairing_unreliable = true;
	s->last_exchange = LAST_EXCHANGE_UNKNOWN;
}

/* Removes the oldest open request, which has no candidates. */
static inline void end_oldest(struct conn *c, struct session *s)
{
	struct active *active = exchanges_oldest(&s->open)->active;

	if (active) {
		active->count--;
		env_of(c)->stats.requests_open--;
	}
	exchanges_pop(&s->open);
	if (__builtin_expect(s->trusted, 0) && --s->trusted == 0)
		outcome_doubt(s, 0);
}

void outcome_end(struct conn *c, struct session *s)
{
	if (exchanges_oldest(&s->open)->candidates)
		candidates_drop_exchange(c, exchanges_oldest(&s->open));
	end_oldest(c, s);
}

/* The bytes so far of a request body that has not ended at the time of its response. */
static uint64_t request_so_far(struct conn *c, struct session *s)
{
	const struct http1 *p = &s->parser[request_dir(s->role)];
	uint64_t left = http1_body_left(p);
	/* Behind a body of unknown length there may be other requests. */
	bool is_known = left && (left != UINT64_MAX || s->client != CLIENT_PIPELINES);
	uint64_t behind = is_known ? pairing_unseen_request_bytes(c, s) : 0;

	return p->body_bytes + (behind < left ? behind : left);
}

/* Decides the candidates of the oldest open request, so that its label values are final. */
static inline struct exchange *decided_oldest(struct conn *c, struct session *s)
{
	struct exchange *e = exchanges_oldest(&s->open);

	if (__builtin_expect(e->candidates, 0))
		candidates_decide_exchange(c, s->role, e);
	return e;
}

void outcome_report(struct conn *c, struct session *s, enum txn_error error, uint64_t end_ns,
		    uint64_t response_bytes)
{
	struct session_env *env = env_of(c);
	struct exchange *e = decided_oldest(c, s);
	uint64_t response_so_far =
		error && e->status ? s->parser[dir_other(request_dir(s->role))].body_bytes : 0;
	uint64_t first_ns = e->first_byte_ns ? e->first_byte_ns : e->start_ns;
	/*
	 * Every member is initialised by name, including those of the larger union member:
	 * otherwise the compiler clears the struct first, which costs as much again.
	 */
	struct transaction t = {
		.protocol = TXN_HTTP,
		.role = s->role,
		.conn_id = c->id,
		.container = c->container,
		.local = &c->local,
		.remote = &c->remote,
		.tid = e->tid,
		.tgid = e->tgid,
		.trace = e->has_trace ? &e->trace : NULL,
		.headers = e->headers,
		.known_method = e->known_method,
		.route = e->route,
		.server_address = e->server_address,
		.server_port = s->role == ROLE_CLIENT ? c->remote.port : 0,
		.error = error,
		.is_probe = e->is_probe,
		.is_tls = s->tls,
		.start_ns = e->start_ns,
		.request_end_ns = e->request_end_ns,
		.read_ns = e->read_ns,
		.first_byte_ns = e->first_byte_ns,
		.end_ns = end_ns > first_ns ? end_ns : first_ns,
		.request_bytes = e->request_bytes     ? e->request_bytes
				 : s->open.count == 1 ? request_so_far(c, s)
						      : 0,
		.response_bytes = response_bytes ? response_bytes : response_so_far,
		.grpc = {.http = {.version = (enum http_version)e->version,
				  .status = e->status,
				  .stream = 0,
				  .method = {e->wire, e->wire_method_len},
				  .target = {e->wire ? e->wire + e->wire_method_len : NULL,
					     e->wire_target_len}},
			 .status = 0,
			 .has_uncounted = false,
			 .messages = {0, 0},
			 .timeout_ns = 0},
	};

	env->stats.transactions++;
	s->requests++;
	sinks_done(&env->sinks, &t);
	end_oldest(c, s);
	s->request_may_be_missing = false;
	pairing_restore(s);
}

void outcome_drop(struct conn *c, struct session *s, const enum engine_lost *why)
{
	while (s->open.count) {
		if (why && !exchanges_oldest(&s->open)->is_lost)
			env_of(c)->stats.lost[*why]++;
		if (why && !exchanges_oldest(&s->open)->status)
			s->responses_due++;
		outcome_end(c, s);
	}
	s->request_may_be_missing = false;
	pairing_restore(s);
}

void outcome_lose(struct conn *c, struct session *s, enum engine_lost why)
{
	outcome_drop(c, s, &why);
}

void outcome_count_unanswered(struct conn *c, struct session *s)
{
	for (unsigned i = 0; i < s->open.count; i++) {
		const struct exchange *e = exchanges_at(&s->open, i);

		env_of(c)->stats.requests_unanswered += e->active && !e->is_lost;
	}
}
