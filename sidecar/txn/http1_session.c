/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/http1_session.h"

#include "proto/http1_trace_context.h"
#include "txn/candidate.h"
#include "txn/http1_headers.h"
#include "txn/http2_session.h"
#include "txn/attributes.h"
#include "txn/outcome.h"
#include "txn/pairing.h"
#include "txn/uncopied.h"
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

/* A request. Returns as on_head(). */
static enum http1_body on_request(struct conn *c, struct session *s, const struct message *m)
{
	struct session_env *env = env_of(c);
	struct http1_attributes *attributes;
	struct http1_attributes own;
	struct exchange *e;
	bool is_full;

	s->is_unopened = uncopied_hides(s) || pairing_drops_late(c, s);
	if (__builtin_expect(s->is_unopened, 0))
		return HTTP1_BODY_FRAMED;
	e = exchanges_push(&s->open, &is_full);
	if (!e) {
		/* Without this request, responses can't be paired by order any more. */
		env->stats.lost[is_full ? ENGINE_LOST_PIPELINE : ENGINE_LOST_MEMORY]++;
		outcome_lose(c, s, is_full ? ENGINE_LOST_PIPELINE : ENGINE_LOST_MEMORY);
		s->responses_due++;
		s->client = CLIENT_PIPELINES;
		s->pairing_unreliable = true;
		return HTTP1_BODY_FRAMED;
	}
	s->is_unreadable = false;
	if (s->doubts_next)
		outcome_doubt(s, s->open.count - 1u);
	pairing_on_request(c, s);
	if (s->open.count > 1)
		s->pairing_unreliable |= s->request_may_be_missing;
	e->start_ns = m->time_ns;
	e->version = (uint8_t)m->version;
	attributes = attributes_find(c, s->role, m, &own);
	e->known_method = attributes->known_method;
	e->route = attributes->route;
	e->response_body = attributes->is_head ? HTTP1_BODY_NONE
			   : m->is_truncated   ? HTTP1_BODY_OPTIONAL
					       : HTTP1_BODY_FRAMED;
	e->is_connect = attributes->is_connect;
	e->expects_continue = m->expects_continue;
	e->is_probe = attributes->is_probe;
	env->stats.grpc_web_requests += attributes->is_grpc_web;
	e->candidates = attributes->candidates;
	e->server_address = s->role == ROLE_CLIENT ? candidates_find_address(c, e, m->host) : "";
	if (s->role == ROLE_CLIENT)
		exchange_set_thread(e, s->tid, s->tgid);
	if (session_needs_target(env))
		exchanges_keep(&s->open, e, m);
	if (m->has_trace_fields && session_needs_trace(env))
		e->has_trace = http1_trace_context(m, &e->trace);
	if (header_capture_is_on(&env->headers))
		http1_headers_head(c, e, m);
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

static inline void take_status(struct conn *c, struct session *s, struct exchange *e,
			       const struct message *m)
{
	uint64_t least_ns;

	if (e->expects_continue && s->open.count == 1)
		http1_body_optional(&s->parser[request_dir(s->role)]);
	e->status = m->status;
	/* What follows may be sent by whoever receives an acknowledgement. */
	if (s->role == ROLE_SERVER)
		exchange_set_thread(e, s->tid, s->tgid);
	/* Clocks of different CPUs may differ by some ns. */
	least_ns = e->request_end_ns ? e->request_end_ns : e->start_ns;
	e->first_byte_ns = m->time_ns > least_ns ? m->time_ns : least_ns;
	if (header_capture_is_on(&env_of(c)->headers))
		http1_headers_head(c, e, m);
}

static enum http1_body on_response(struct conn *c, struct session *s, const struct message *m);
static const struct http1_sink parser_sink;

static enum http1_body on_head(void *ctx, const struct message *m)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (!m->is_response)
		return on_request(c, s, m);
	/* Nearly all responses answer the oldest open request. */
	if (s->open.count && !s->pairing_unreliable && m->status >= 200) {
		struct exchange *e = exchanges_oldest(&s->open);

		if (!e->is_connect) {
			s->is_unpaired = false;
			s->is_interim = false;
			take_status(c, s, e, m);
			return (enum http1_body)e->response_body;
		}
	}
	return on_response(c, s, m);
}

/*
 * The rest of a request's head is missing; the part that was seen shows that there was a request.
 */
static void lose_head(struct conn *c, struct session *s)
{
	if (http1_truncate_head(&s->parser[request_dir(s->role)], &parser_sink, c))
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
}

/*
 * True if nothing is missing: the next response answers the oldest open request, if there is one.
 */
static bool is_pairing_certain(const struct conn *c, const struct session *s)
{
	return c->role != ROLE_UNKNOWN && !s->pairing_unreliable && !s->has_gap &&
	       !s->has_lost_start[dir_other(request_dir(s->role))];
}

/*
 * A server may end an idle connection with 408, which answers no request (RFC 9110 section 15.5.9).
 */
static bool is_unsolicited(const struct conn *c, const struct session *s, const struct message *m)
{
	return m->status == 408 && s->open.count == 0 && !uncopied_hides(s) &&
	       is_pairing_certain(c, s);
}

/* The request of a response that is not paired may have been HEAD, if the client pipelines. */
static enum http1_body body_of_unpaired(const struct session *s)
{
	return s->uncopied || s->client == CLIENT_PIPELINES ? HTTP1_BODY_OPTIONAL
							    : HTTP1_BODY_FRAMED;
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
	/* The server may respond before a head has ended: 408, 414, 431. One byte may be a FIN. */
	if (s->open.count == 0 && pairing_unseen_request_bytes(c, s) > 1)
		lose_head(c, s);
	else if (s->open.count == 0)
		(void)http1_truncate_head(&s->parser[request_dir(s->role)], &parser_sink, c);
	if (s->open.count == 0 && !uncopied_hides(s))
		(void)unreadable_response(c, s); /* else it stays unpaired */
	if (s->open.count == 0 || s->pairing_unreliable) {
		s->is_unpaired = true;
		env_of(c)->stats.responses_unpaired += !is_unsolicited(c, s, m);
		pairing_on_unpaired_response(c, s);
		/* A server may send 408 without a request. */
		if (s->open.count == 0 && m->status != 408)
			uncopied_response(c, s);
		pairing_restore(s);
		if (s->open.count) {
			pairing_lose_oldest(c, s);
		} else if (m->status == 101) {
			http1_tunnel(&s->parser[request_dir(s->role)]);
			(void)upgrade_to_http2(c, s, NULL, m); /* else it is a tunnel, too */
			return HTTP1_BODY_TUNNEL;
		} else {
			return body_of_unpaired(s);
		}
	}
	e = exchanges_oldest(&s->open);
	take_status(c, s, e, m);
	if (s->is_unpaired && m->status != 101 && !e->is_connect)
		return body_of_unpaired(s);
	if (m->status == 101 || (e->is_connect && m->status >= 200 && m->status < 300)) {
		http1_tunnel(&s->parser[request_dir(s->role)]);
		if (s->is_unpaired)
			return HTTP1_BODY_TUNNEL;
		if (m->status == 101 && upgrade_to_http2(c, s, e, m)) {
			outcome_end(c, s);
			/* Requests after it get no response: HTTP/1 has ended. */
			outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		} else {
			outcome_report(c, s, TXN_OK, m->time_ns, 0);
		}
		return HTTP1_BODY_TUNNEL;
	}
	return (enum http1_body)e->response_body;
}

static void on_message_end(void *ctx, bool is_response, uint64_t body_bytes, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (!is_response) {
		if (s->open.count && !s->is_unopened)
			exchanges_end_request(&s->open, body_bytes,
					      c->bytes[request_dir(s->role)].next, &s->read,
					      time_ns);
		return;
	}
	if (s->is_interim)
		return;
	pairing_on_response_end(s);
	if (s->open.count == 0)
		return;
	/* If only the next response showed the end, the next request proves nothing. */
	if (s->open.count > 1 && exchanges_at(&s->open, s->open.count - 1u)->start_ns <= time_ns)
		pairing_client_pipelines(c, s);
	if (!exchanges_oldest(&s->open)->status)
		return; /* its response is still to come */
	if (!s->is_unpaired) {
		outcome_report(c, s, TXN_OK, time_ns, body_bytes);
		return;
	}
	/* Pairing is unreliable: the request leaves the queue, already counted as lost. */
	outcome_end(c, s);
	pairing_restore(s);
}

/* Messages may be missing from here on. */
static void miss(struct conn *c, struct session *s, bool is_response, enum parse_fail why,
		 bool has_head)
{
	if (!is_response && (why != PARSE_FAIL_LOST || s->is_skipping) &&
	    (s->open.count > !!has_head || s->client == CLIENT_PIPELINES)) {
		/* Earlier requests keep their responses, which come first. */
		s->doubts_next = true;
		return;
	}
	s->has_missed = true;
	s->has_gap |= why == PARSE_FAIL_LOST;
	s->last_exchange = LAST_EXCHANGE_UNKNOWN;
	if (is_response) {
		/*
		 * Without the start of the next response, the outcome of the open requests is not
		 * known.
		 */
		if (why != PARSE_FAIL_LOST && s->open.count &&
		    (has_head ? !s->is_unpaired && !s->is_interim : is_pairing_certain(c, s)))
			outcome_report(c, s, TXN_MALFORMED,
				       s->parser[dir_other(request_dir(s->role))].last_ns, 0);
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		s->pairing_unreliable = s->client == CLIENT_PIPELINES;
	} else if (has_head && s->open.count == 1 && s->client != CLIENT_PIPELINES) {
		/*
		 * The rest of one request is missing: a client that waits gets its response next.
		 */
		s->request_may_be_missing = true;
	} else if (s->open.count || s->client == CLIENT_PIPELINES) {
		s->pairing_unreliable = true;
	} else if (why == PARSE_FAIL_LOST && pairing_is_response_due(c, s)) {
		s->pairing_unreliable = true;
		/* A request that comes now did not wait for the missed one. */
		if (!has_head)
			pairing_on_missed_request(s);
	}
	/* If it is not known that the client waits, requests at any position may be missing. */
	s->pairing_unreliable |= why == PARSE_FAIL_LOST && s->client != CLIENT_WAITS;
}

static void on_fail(void *ctx, bool is_response, enum parse_fail why, bool has_head)
{
	struct conn *c = ctx;

	env_of(c)->stats.parse_failed[why]++;
	if (!is_response && why == PARSE_FAIL_START_LINE)
		unreadable_begin(session_of(c));
	/* For pairing, bytes for which there was no memory are lost bytes. */
	if (why == PARSE_FAIL_MEMORY)
		why = PARSE_FAIL_LOST;
	if (why != PARSE_FAIL_HEAD_TOO_LARGE) /* the message goes on */
		miss(c, session_of(c), is_response, why, has_head);
}

static void on_tunnel(void *ctx, bool is_response, struct span data, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);
	enum dir dir = s->parser[0].is_response == is_response ? DIR_INGRESS : DIR_EGRESS;
	struct segment_view view = {
		.dir = dir, .data = data, .tid = s->tid, .tgid = s->tgid, .is_derived = true};

	if (s->http2)
		http2_protocol.data(c, s, dir, &view, time_ns);
}

static const struct http1_sink parser_sink = {.head = on_head,
					      .end = on_message_end,
					      .fail = on_fail,
					      .trailers = http1_headers_trailers,
					      .tunnel = on_tunnel};

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns)
{
	pairing_begin_segment(s, view);
	if (dir == DIR_EGRESS) {
		s->tid = view->tid;
		s->tgid = view->tgid;
	}
	http1_data(&s->parser[dir], view->data, time_ns, &parser_sink, c);
	if (dir == request_dir(s->role))
		pairing_on_request_data(s);
	pairing_end_segment(s);
}

/*
 * The end of a response is among the next len bytes, so its time is not known. A segment without
 * bytes is reported when its bytes pass; a gap before other segments may be old.
 */
static void lose_end(struct conn *c, struct session *s, enum dir dir, uint32_t len, bool is_bare)
{
	uint64_t left = http1_body_left(&s->parser[dir]);

	if (dir != request_dir(s->role) && left && (is_bare ? left < len : left <= len))
		miss(c, s, true, PARSE_FAIL_LOST, true);
}

static void skip(struct conn *c, struct session *s, enum dir dir, uint32_t len, uint64_t time_ns)
{
	bool was_lost;

	if (c->is_closing) {
		lose_end(c, s, dir, len, false);
		if (http1_is_out_of_sync(&s->parser[dir]))
			miss(c, s, dir != request_dir(s->role), PARSE_FAIL_LOST, false);
		/*
		 * Bytes of the request direction that only CLOSE reports, and that are not inside a
		 * body, are requests that were not copied.
		 */
		if (dir == request_dir(s->role) && !http1_body_left(&s->parser[dir])) {
			lose_head(c, s);
			uncopied_begin(c, s);
			return;
		}
	}
	was_lost = http1_is_out_of_sync(&s->parser[dir]);
	s->is_skipping = true;
	http1_skip(&s->parser[dir], len, time_ns, &parser_sink, c);
	s->is_skipping = false;
	if (dir == request_dir(s->role))
		uncopied_skip(c, s, was_lost);
	/* Complete responses to pipelined requests may be among the skipped bytes. */
	if (dir != request_dir(s->role) && s->open.count > 1 &&
	    http1_is_unframed(&s->parser[dir])) {
		outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		s->pairing_unreliable = s->client == CLIENT_PIPELINES;
	}
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	pairing_begin_segment(s, view);
	skip(c, s, dir, len, time_ns);
	pairing_end_segment(s);
}

/* True if the next len bytes are inside a body of known length. */
static bool is_body(const struct session *s, enum dir dir, uint32_t len)
{
	uint64_t left = http1_body_left(&s->parser[dir]);

	return left != UINT64_MAX && len <= left;
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	if (!is_body(s, dir, len)) {
		env_of(c)->stats.bytes_lost_framing += len;
		if (dir == request_dir(s->role))
			uncopied_lose(s);
	}
	pairing_begin_segment(s, view);
	lose_end(c, s, dir, len, segment_view_is_empty(view));
	if (dir == request_dir(s->role))
		lose_head(c, s);
	if (http1_is_out_of_sync(&s->parser[dir]))
		miss(c, s, dir != request_dir(s->role), PARSE_FAIL_LOST, false);
	http1_lost(&s->parser[dir], len, time_ns, &parser_sink, c);
	pairing_end_segment(s);
}

static void on_fin(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint64_t time_ns)
{
	pairing_begin_segment(s, view);
	http1_fin(&s->parser[dir], time_ns, &parser_sink, c);
	pairing_end_segment(s);
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	switch (how) {
	case CONN_CLOSED:
	case CONN_RESET:
		/*
		 * With unreliable pairing, the remaining requests may have had responses that were
		 * lost.
		 */
		if (s->pairing_unreliable ||
		    http1_is_out_of_sync(&s->parser[dir_other(request_dir(s->role))]))
			outcome_lose(c, s, ENGINE_LOST_RESPONSE);
		/* A status counts, whether or not its head is complete. */
		if (s->open.count)
			(void)http1_truncate_head(&s->parser[dir_other(request_dir(s->role))],
						  &parser_sink, c);
		/*
		 * A body that lasts until close is complete only if the connection was closed in
		 * order.
		 */
		if (how == CONN_CLOSED)
			http1_fin(&s->parser[dir_other(request_dir(s->role))], time_ns,
				  &parser_sink, c);
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
		outcome_count_unanswered(c, s);
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
	enum dir request = request_dir(role);

	s->protocol = &http1_protocol;
	s->role = role;
	http1_init(&s->parser[request], false);
	http1_init(&s->parser[dir_other(request)], true);
	s->parser[0].memory = s->parser[1].memory = s->open.memory = &c->memory;
}

void http1_session_lose_start(struct conn *c, struct session *s, const struct segment_view *view,
			      uint64_t time_ns)
{
	pairing_begin_segment(s, view);
	for (int i = 0; i < 2; i++)
		if (s->has_lost_start[i])
			http1_lost(&s->parser[i], 1, time_ns, &parser_sink, c);
	pairing_end_segment(s);
}

void http1_session_release(struct session *s)
{
	exchanges_release(&s->open);
	http1_release(&s->parser[0]);
	http1_release(&s->parser[1]);
}
