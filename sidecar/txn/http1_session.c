/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/http1_session.h"

#include "txn/candidate.h"
#include "txn/http2_session.h"
#include "txn/attributes.h"
#include "txn/outcome.h"
#include "txn/turn.h"
#include "txn/unreadable.h"
#include "txn/upgrade.h"

static struct session *session_of(struct conn *c)
{
	return (struct session *)c->user;
}

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

/* Answers as on_head() does. */
static enum http1_body on_request(struct conn *c, struct session *s, const struct message *m)
{
	struct session_env *env = env_of(c);
	struct http1_attributes *attributes;
	struct http1_attributes own;
	struct exchange *e;
	bool is_full;

	e = exchanges_push(&s->open, &is_full);
	if (!e) {
		/* Responses can no longer be counted off against requests. */
		env->stats.lost[is_full ? ENGINE_LOST_PIPELINE : ENGINE_LOST_MEMORY]++;
		outcome_lose(c, s, is_full ? ENGINE_LOST_PIPELINE : ENGINE_LOST_MEMORY);
		s->client = CLIENT_PIPELINES;
		s->pairing_unreliable = true;
		return HTTP1_BODY_FRAMED;
	}
	s->is_unreadable = false;
	if (s->doubts_next)
		outcome_doubt(s, s->open.count - 1u);
	turn_ask(c, s);
	if (s->open.count > 1)
		s->pairing_unreliable |= s->request_may_be_missing;
	e->start_ns = m->time_ns;
	e->version = (uint8_t)m->version;
	attributes = attributes_find(c, s->role, m, &own);
	e->known_method = attributes->known_method;
	e->route = attributes->route;
	e->is_head = attributes->is_head;
	e->is_connect = attributes->is_connect;
	e->expects_continue = m->expects_continue;
	e->is_probe = attributes->is_probe;
	env->stats.grpc_web_requests += attributes->is_grpc_web;
	e->candidates = attributes->candidates;
	e->server_address = s->role == ROLE_CLIENT ? candidates_find_address(c, e, m->host) : "";
	e->tid = s->tid;
	if (session_needs_target(env))
		exchanges_keep(&s->open, e, m);
	if (e->is_probe)
		return HTTP1_BODY_FRAMED;
	if (!active_is(attributes->active, s->role, c->container, attributes->known_method, s->tls))
		attributes->active = actives_find(&env->actives, s->role, c->container,
						  attributes->known_method, s->tls);
	e->active = attributes->active;
	e->active->count++;
	env->stats.requests_open++;
	return HTTP1_BODY_FRAMED;
}

static inline void take_status(struct session *s, struct exchange *e, const struct message *m)
{
	if (e->expects_continue && s->open.count == 1)
		http1_body_optional(&s->parser[request_dir(s)]);
	e->status = m->status;
	/* Clocks of different CPUs may disagree by some ns. */
	e->first_byte_ns = m->time_ns > e->start_ns ? m->time_ns : e->start_ns;
}

static enum http1_body on_response(struct conn *c, struct session *s, const struct message *m);
static const struct http1_sink parser_sink;

static enum http1_body on_head(void *ctx, const struct message *m)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (!m->is_response)
		return on_request(c, s, m);
	/* What nearly all are: the answer to the oldest open request. */
	if (s->open.count && !s->pairing_unreliable && m->status >= 200) {
		struct exchange *e = exchanges_oldest(&s->open);

		if (!e->is_connect) {
			s->is_unpaired = false;
			s->is_interim = false;
			take_status(s, e, m);
			return e->is_head ? HTTP1_BODY_NONE : HTTP1_BODY_FRAMED;
		}
	}
	return on_response(c, s, m);
}

/* The rest of a request's head was missed: what was seen of it tells that there was one. */
static void lose_head(struct conn *c, struct session *s)
{
	if (http1_truncate_head(&s->parser[request_dir(s)], &parser_sink, c))
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
}

/* Nothing is missing: whatever the server sends belongs to the oldest open request, if there is
 * one.
 */
static bool is_pairing_certain(const struct conn *c, const struct session *s)
{
	return c->role != ROLE_UNKNOWN && !s->pairing_unreliable && !s->has_gap &&
	       !s->has_lost_start[dir_other(request_dir(s))];
}

/* A server may end an idle connection with 408, which answers no request (RFC 9110 section 15.5.9).
 */
static bool is_unsolicited(const struct conn *c, const struct session *s, const struct message *m)
{
	return m->status == 408 && s->open.count == 0 && is_pairing_certain(c, s);
}

static __attribute__((noinline)) enum http1_body on_response(struct conn *c, struct session *s,
							     const struct message *m)
{
	struct exchange *e;

	s->is_unpaired = false;
	s->is_interim = m->status < 200 && m->status != 101;
	if (s->is_interim) {
		if (s->open.count && m->status == 100)
			exchanges_oldest(&s->open)->expects_continue = false;
		return HTTP1_BODY_FRAMED;
	}
	/* The server may answer before a head has ended: 408, 414, 431. One byte more may be a FIN.
	 */
	if (s->open.count == 0 && turn_request_behind(c, s) > 1)
		lose_head(c, s);
	else if (s->open.count == 0)
		(void)http1_truncate_head(&s->parser[request_dir(s)], &parser_sink, c);
	if (s->open.count == 0)
		(void)unreadable_answer(c, s); /* else it is nobody's */
	if (s->open.count == 0 || s->pairing_unreliable) {
		s->is_unpaired = true;
		env_of(c)->stats.responses_unpaired += !is_unsolicited(c, s, m);
		turn_answer(c, s);
		turn_settle(s);
		if (s->open.count) {
			turn_lose_oldest(c, s);
		} else if (m->status == 101) {
			http1_tunnel(&s->parser[request_dir(s)]);
			(void)upgrade_to_http2(c, s, NULL, m); /* else a tunnel all the same */
			return HTTP1_BODY_TUNNEL;
		} else {
			return HTTP1_BODY_FRAMED;
		}
	}
	e = exchanges_oldest(&s->open);
	take_status(s, e, m);
	if (e->is_head)
		return HTTP1_BODY_NONE;
	if (m->status == 101 || (e->is_connect && m->status >= 200 && m->status < 300)) {
		http1_tunnel(&s->parser[request_dir(s)]);
		if (s->is_unpaired)
			return HTTP1_BODY_TUNNEL;
		if (m->status == 101 && upgrade_to_http2(c, s, e, m)) {
			outcome_end(c, s);
			/* Requests behind it, which nobody will answer: HTTP/1 is over. */
			outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		} else {
			outcome_report(c, s, TXN_OK, m->time_ns, 0);
		}
		return HTTP1_BODY_TUNNEL;
	}
	return HTTP1_BODY_FRAMED;
}

static void on_message_end(void *ctx, bool is_response, uint64_t body_bytes, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (!is_response) {
		if (body_bytes && s->open.count)
			exchanges_at(&s->open, s->open.count - 1u)->request_bytes = body_bytes;
		return;
	}
	if (s->is_interim)
		return;
	turn_end(s);
	if (s->open.count == 0)
		return;
	/* Of an end that only the next response told of, the next request is no news. */
	if (s->open.count > 1 && exchanges_at(&s->open, s->open.count - 1u)->start_ns <= time_ns)
		turn_pipelines(c, s);
	if (!exchanges_oldest(&s->open)->status)
		return; /* it is of a response to come */
	if (!s->is_unpaired) {
		outcome_report(c, s, TXN_OK, time_ns, body_bytes);
		return;
	}
	/* Pairing is unreliable: its place in the order goes with it, counted as lost before. */
	outcome_end(c, s);
	turn_settle(s);
}

/* Messages may be missing from here on. */
static void miss(struct conn *c, struct session *s, bool is_response, enum parse_fail why,
		 bool has_head)
{
	if (!is_response && why != PARSE_FAIL_LOST &&
	    (s->open.count > !!has_head || s->client == CLIENT_PIPELINES)) {
		/* Those that came before keep their responses, which come first. */
		s->doubts_next = true;
		return;
	}
	s->has_missed = true;
	s->has_gap |= why == PARSE_FAIL_LOST;
	s->turn = TURN_NONE;
	if (is_response) {
		/* Not knowing where responses begin, we know of no open request how it ended. */
		if (why != PARSE_FAIL_LOST && s->open.count &&
		    (has_head ? !s->is_unpaired && !s->is_interim : is_pairing_certain(c, s)))
			outcome_report(c, s, TXN_MALFORMED,
				       s->parser[dir_other(request_dir(s))].last_ns, 0);
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		s->pairing_unreliable = s->client == CLIENT_PIPELINES;
	} else if (has_head && s->open.count == 1 && s->client != CLIENT_PIPELINES) {
		/* The rest of one request: who waits for answers gets its response next. */
		s->request_may_be_missing = true;
	} else if (s->open.count || s->client == CLIENT_PIPELINES) {
		s->pairing_unreliable = true;
	} else if (why == PARSE_FAIL_LOST && turn_is_answer_due(c, s)) {
		s->pairing_unreliable = true;
		/* Another request now does not wait for one that was missed whole. */
		if (!has_head)
			turn_miss(s);
	}
	/* Of whom nothing is known may be in any place of the order. */
	s->pairing_unreliable |= why == PARSE_FAIL_LOST && s->client != CLIENT_WAITS;
}

static void on_fail(void *ctx, bool is_response, enum parse_fail why, bool has_head)
{
	struct conn *c = ctx;

	env_of(c)->stats.parse_failed[why]++;
	if (!is_response && why == PARSE_FAIL_START_LINE)
		unreadable_begin(session_of(c));
	if (why != PARSE_FAIL_HEAD_TOO_LARGE) /* only news: the message was reported */
		miss(c, session_of(c), is_response, why, has_head);
}

static void on_tunnel(void *ctx, bool is_response, struct span data, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);
	enum dir dir = s->parser[0].is_response == is_response ? DIR_INGRESS : DIR_EGRESS;
	struct segment_view view = {.dir = dir, .data = data, .tid = s->tid, .is_derived = true};

	if (s->http2)
		http2_protocol.data(c, s, dir, &view, time_ns);
}

static const struct http1_sink parser_sink = {
	.head = on_head, .end = on_message_end, .fail = on_fail, .tunnel = on_tunnel};

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns)
{
	turn_enter(s, view);
	if (dir == DIR_EGRESS && view->tid)
		s->tid = view->tid;
	http1_data(&s->parser[dir], view->data, time_ns, &parser_sink, c);
	if (dir == request_dir(s))
		turn_begin(s);
	turn_leave(s);
}

/*
 * The end of a response is among the next len bytes, and nobody will know when it came. A bare
 * segment comes when its bytes pass; a gap before other segments may be old.
 */
static void lose_end(struct conn *c, struct session *s, enum dir dir, uint32_t len, bool is_bare)
{
	uint64_t left = http1_body_left(&s->parser[dir]);

	if (dir != request_dir(s) && left && (is_bare ? left < len : left <= len))
		miss(c, s, true, PARSE_FAIL_LOST, true);
}

static void skip(struct conn *c, struct session *s, enum dir dir, uint32_t len, uint64_t time_ns)
{
	if (c->is_closing) {
		lose_end(c, s, dir, len, false);
		if (http1_is_out_of_sync(&s->parser[dir]))
			miss(c, s, dir != request_dir(s), PARSE_FAIL_LOST, false);
		/* What the end of the connection tells of was never sent as body, unless in one. */
		if (dir == request_dir(s) && !http1_body_left(&s->parser[dir])) {
			lose_head(c, s);
			return;
		}
	}
	http1_skip(&s->parser[dir], len, time_ns, &parser_sink, c);
	/* Whole responses of pipelined requests may be among what was skipped. */
	if (dir != request_dir(s) && s->open.count > 1 && http1_is_unframed(&s->parser[dir])) {
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		s->pairing_unreliable = s->client == CLIENT_PIPELINES;
	}
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	turn_enter(s, view);
	skip(c, s, dir, len, time_ns);
	turn_leave(s);
}

/* Are the next len bytes inside a body of known length? */
static bool is_body(const struct session *s, enum dir dir, uint32_t len)
{
	uint64_t left = http1_body_left(&s->parser[dir]);

	return left != UINT64_MAX && len <= left;
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	env_of(c)->stats.bytes_lost_framing += is_body(s, dir, len) ? 0 : len;
	turn_enter(s, view);
	lose_end(c, s, dir, len, segment_view_is_empty(view));
	if (dir == request_dir(s))
		lose_head(c, s);
	if (http1_is_out_of_sync(&s->parser[dir]))
		miss(c, s, dir != request_dir(s), PARSE_FAIL_LOST, false);
	http1_lost(&s->parser[dir], len, time_ns, &parser_sink, c);
	turn_leave(s);
}

static void on_fin(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint64_t time_ns)
{
	turn_enter(s, view);
	http1_fin(&s->parser[dir], time_ns, &parser_sink, c);
	turn_leave(s);
}

/* Those that are counted as lost are in that number already. */
static void count_unanswered(struct conn *c, struct session *s)
{
	for (unsigned i = 0; i < s->open.count; i++) {
		const struct exchange *e = exchanges_at(&s->open, i);

		env_of(c)->stats.requests_unanswered += e->active && !e->is_lost;
	}
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	switch (how) {
	case CONN_CLOSED:
	case CONN_RESET:
		/* A head may be found incomplete only now, when its response was lost before. */
		if (s->pairing_unreliable ||
		    http1_is_out_of_sync(&s->parser[dir_other(request_dir(s))]))
			outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		/* A status that was sent counts, whether or not its head ever ended. */
		if (s->open.count)
			(void)http1_truncate_head(&s->parser[dir_other(request_dir(s))],
						  &parser_sink, c);
		/* A body until close is complete only if the connection ended in order. */
		if (how == CONN_CLOSED)
			http1_fin(&s->parser[dir_other(request_dir(s))], time_ns, &parser_sink, c);
		while (s->open.count)
			outcome_report(c, s, how == CONN_RESET ? TXN_RESET : TXN_CLOSED, time_ns,
				       0);
		break;
	case CONN_EVICTED:
	case CONN_EVICTED_MEMORY:
		if (c->is_early)
			outcome_drop(c, s, NULL);
		else
			outcome_lose(c, s,
				     how == CONN_EVICTED ? ENGINE_LOST_EVICTED
							 : ENGINE_LOST_MEMORY);
		break;
	case CONN_UNDECRYPTABLE:
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		break;
	case CONN_CUT:
		count_unanswered(c, s);
		/* fall through */
	case CONN_MUTED:
		outcome_drop(c, s, NULL);
		break;
	}
}

const struct protocol_ops http1_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin, .end = on_end};

void http1_session_begin(struct conn *c, struct session *s, enum role role)
{
	enum dir request = role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;

	s->protocol = &http1_protocol;
	s->role = role;
	http1_init(&s->parser[request], false);
	http1_init(&s->parser[dir_other(request)], true);
	s->parser[0].memory = s->parser[1].memory = s->open.memory = &c->memory;
}

void http1_session_lose_start(struct conn *c, struct session *s, const struct segment_view *view,
			      uint64_t time_ns)
{
	turn_enter(s, view);
	for (int i = 0; i < 2; i++)
		if (s->has_lost_start[i])
			http1_lost(&s->parser[i], 1, time_ns, &parser_sink, c);
	turn_leave(s);
}

void http1_session_release(struct session *s)
{
	exchanges_release(&s->open);
	http1_release(&s->parser[0]);
	http1_release(&s->parser[1]);
}
