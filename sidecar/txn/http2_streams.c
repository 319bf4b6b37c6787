/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/http2_streams.h"

#include "flow/queued_segment.h"
#include "txn/call_report.h"
#include "txn/candidate.h"
#include "txn/attributes.h"
#include "txn/session.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

static void count_out(struct conn *c, struct call *call)
{
	if (call->active) {
		call->active->count--;
		env_of(c)->stats.requests_open--;
	}
}

static void close_call(struct http2_streams *s, struct conn *c, struct call *call)
{
	struct session_env *env = env_of(c);

	count_out(c, call);
	if (__builtin_expect(call->candidates, 0))
		candidates_drop_call(c, call);
	calls_remove(&s->calls, &env->calls, call);
}

static void lose(struct http2_streams *s, struct conn *c, struct call *call, enum engine_lost why)
{
	env_of(c)->stats.lost[why]++;
	close_call(s, c, call);
}

static void report(struct http2_streams *s, struct conn *c, struct call *call, enum txn_error error,
		   uint64_t end_ns)
{
	call_kind_end(call, &s->kinds);
	call_report(call, c, s->role, error, end_ns);
	close_call(s, c, call);
}

/* --- requests -------------------------------------------------------------------- */

static void count_open(struct http2_streams *s, struct conn *c, struct call *call,
		       struct active *guess)
{
	struct session_env *env = env_of(c);
	bool is_rpc = call->kind == CALL_GRPC;
	/* A gauge names a method only once it is admitted (label_values.h). */
	const char *method = !is_rpc				   ? call->known_method
			     : call->candidates & CANDIDATE_METHOD ? label_other
								   : call->rpc_method;

	if (!active_is(guess, s->role, c->container, method, session_is_tls(c))) {
		guess = actives_find(&env->actives, s->role, c->container, method,
				     session_is_tls(c));
		guess->is_rpc = is_rpc && guess->known_method == method;
	}
	call->active = guess;
	guess->count++;
	env->stats.requests_open++;
}

/* weight: of the request's priority; 0: none. */
static __attribute__((cold)) void take_headers(struct conn *c, struct call *call,
					       const struct http2_head *head,
					       enum header_section section, uint16_t weight)
{
	header_capture_take(&env_of(c)->headers, head, &call->headers, &c->memory, section);
	if (call->headers && weight)
		call->headers->weight = weight;
}

static inline void end_request(const struct http2_streams *s, const struct conn *c,
			       struct call *call, const struct http2_arrival *at)
{
	call->request_end_ns = at->last_ns;
	call->request_end_seq = c->bytes[request_dir(s->role)].next;
	call->read_ns =
		last_read_ns(&((const struct session *)c->user)->read, call->request_end_seq);
}

static void begin_call(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
		       uint32_t stream, const struct http2_head *head, bool is_end,
		       bool may_have_ended)
{
	struct session_env *env = env_of(c);
	const struct http2_attributes *attributes;
	struct call *call;

	if (s->calls.count >= CALLS_MAX)
		lose(s, c, s->calls.oldest, ENGINE_LOST_STREAMS);
	call = calls_add(&s->calls, &env->calls, stream);
	if (!call) {
		env->stats.lost[ENGINE_LOST_MEMORY]++;
		return;
	}
	if (s->newest_stream == 0)
		s->first_stream = stream;
	if (stream > s->newest_stream)
		s->newest_stream = stream;
	call_kind_head(call, &s->kinds, head);
	env->stats.grpc_web_requests += head->content == HTTP2_CONTENT_GRPC_WEB;
	attributes = attributes_find_http2(c, s->role, (enum call_kind)call->kind, head);
	call->start_ns = at->first_ns;
	call->request_end_ns = call->read_ns = 0;
	if (is_end)
		end_request(s, c, call, at);
	call->known_method = attributes->known_method;
	call->route = attributes->route;
	call->rpc_method = attributes->rpc_method;
	call->server_address = attributes->server_address;
	call->candidates = attributes->candidates;
	call_kind_request(call, &s->kinds, is_end);
	call->is_connect = head->is_connect;
	call->is_probe = head->is_probe && s->role == ROLE_SERVER;
	call->may_have_ended = may_have_ended;
	call->timeout_ns = head->timeout_ns;
	call->has_trace = head->has_trace;
	if (head->has_trace)
		call->trace = head->trace;
	call->active = NULL;
	call->grpc_status = GRPC_STATUS_NONE;
	call->tid = s->role == ROLE_CLIENT ? s->tid : 0;
	call->tgid = s->role == ROLE_CLIENT ? s->tgid : 0;
	if (session_needs_target(env))
		calls_keep(&s->calls, call, head->method, head->path);
	if (header_capture_is_on(&env->headers))
		take_headers(c, call, head, HEADERS_REQUEST, at->weight);
	if (call->is_probe)
		return;
	count_open(s, c, call, attributes->active);
	head->attributes->active = call->active;
}

void http2_streams_request(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			   uint32_t stream, const struct http2_head *head, bool is_end,
			   bool may_have_ended)
{
	/* A block that could not be decoded is a request's, not trailers, if its stream is new. */
	if (!head->is_request &&
	    !(head->unknown && s->newest_stream && stream > s->newest_stream)) {
		struct call *call = calls_find(&s->calls, stream);

		if (call && header_capture_is_on(&env_of(c)->headers))
			take_headers(c, call, head, HEADERS_REQUEST_TRAILERS, 0);
		if (is_end && call)
			end_request(s, c, call, at);
		return;
	}
	if (stream % 2 == 1 && (stream > s->newest_stream || !calls_find(&s->calls, stream)))
		begin_call(s, c, at, stream, head, is_end, may_have_ended);
}

/* --- responses ------------------------------------------------------------------- */

static void end_response(struct http2_streams *s, struct conn *c, struct call *call,
			 uint64_t end_ns)
{
	bool is_complete = call->has_response || call->grpc_status != GRPC_STATUS_NONE;

	/* The head was lost, so the outcome is not known. */
	if (!is_complete && s->has_missed)
		lose(s, c, call, ENGINE_LOST_RESPONSE);
	else
		report(s, c, call, is_complete ? TXN_OK : TXN_MALFORMED, end_ns);
}

void http2_streams_read(struct http2_streams *s, const struct last_read *read)
{
	for (struct call *call = s->calls.oldest; call; call = call->newer)
		if (!call->read_ns && call->request_end_ns)
			call->read_ns = last_read_ns(read, call->request_end_seq);
}

/* Counts a response without a known request. */
static void count_unpaired(struct http2_streams *s, struct conn *c, uint32_t stream, bool is_end)
{
	if (is_end && s->has_missed && stream % 2 == 1 &&
	    (s->newest_stream == 0 || stream < s->first_stream))
		env_of(c)->stats.responses_unpaired++;
}

/* Clocks of different CPUs may differ by some ns. */
static void take_first_byte(const struct http2_streams *s, struct call *call, uint64_t time_ns)
{
	uint64_t least_ns = call->request_end_ns ? call->request_end_ns : call->start_ns;

	call->first_byte_ns = time_ns > least_ns ? time_ns : least_ns;
	if (s->role != ROLE_SERVER)
		return;
	call->tid = s->tid;
	call->tgid = s->tgid;
}

void http2_streams_response(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			    uint32_t stream, const struct http2_head *head, bool is_end)
{
	struct call *call = calls_find(&s->calls, stream);
	bool is_hidden = !head->status && head->unknown;

	if (!call) {
		count_unpaired(s, c, stream, is_end);
		return;
	}
	if (head->status && head->status < 200 && !is_end)
		return;
	call_kind_response(call, &s->kinds, head);
	if (header_capture_is_on(&env_of(c)->headers))
		take_headers(c, call, head,
			     call->has_response ? HEADERS_RESPONSE_TRAILERS : HEADERS_RESPONSE, 0);
	/* An earlier head with an unknown status was interim if a status comes now. */
	if (head->status ? !call->has_response || call->status == TXN_STATUS_UNKNOWN
			 : is_hidden && !call->has_response) {
		call->status = is_hidden ? TXN_STATUS_UNKNOWN : head->status;
		call->has_response = true;
		take_first_byte(s, call, at->first_ns);
	}
	if (is_end && head->grpc_status == GRPC_STATUS_NONE && head->unknown)
		call->grpc_status = GRPC_STATUS_HIDDEN;
	else if (head->grpc_status != GRPC_STATUS_NONE)
		call->grpc_status = head->grpc_status;
	if (is_end)
		end_response(s, c, call, at->last_ns);
	else if (call->is_connect && call->status >= 200 && call->status < 300)
		report(s, c, call, TXN_OK, at->first_ns); /* the bytes after it are not HTTP */
}

/* The first response message of a call shows that its method is served, before the call ends. */
static __attribute__((noinline)) void show_method(struct http2_streams *s, struct conn *c,
						  struct call *call)
{
	candidates_decide_method(c, s->role, call);
	if (!call->active)
		return;
	count_out(c, call);
	count_open(s, c, call, call->active);
}

void http2_streams_body(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			uint32_t stream, struct span body, bool is_end)
{
	bool is_response = at->is_response;
	struct call *call;

	call = calls_find(&s->calls, stream);
	if (!call) {
		if (is_response)
			count_unpaired(s, c, stream, is_end);
		return;
	}
	*(is_response ? &call->response_bytes : &call->request_bytes) += body.len;
	if (is_end && is_response)
		call_kind_no_trailers(call, &s->kinds);
	else if (is_end)
		end_request(s, c, call, at);
	if (call->kind != CALL_HTTP) {
		if (body.ptr)
			grpc_messages_data(&call->messages[is_response], body);
		else
			grpc_messages_skip(&call->messages[is_response], body.len);
		if (call->candidates & CANDIDATE_METHOD && call->kind == CALL_GRPC && is_response &&
		    call->messages[true].count)
			show_method(s, c, call);
	}
	if (is_end && is_response)
		end_response(s, c, call, at->last_ns);
}

void http2_streams_lost_end(struct http2_streams *s, struct conn *c, uint32_t stream)
{
	struct call *call = calls_find(&s->calls, stream);

	if (call)
		lose(s, c, call, ENGINE_LOST_RESPONSE);
}

void http2_streams_reset(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			 uint32_t stream, uint32_t code)
{
	struct call *call = calls_find(&s->calls, stream);

	if (!call)
		return;
	/* The response may have ended before, in missed frames. */
	if (call->may_have_ended) {
		lose(s, c, call, ENGINE_LOST_RESPONSE);
		return;
	}
	if (!at->is_response)
		call->grpc_status = GRPC_CANCELLED;
	else
		call->grpc_status = code == UINT32_MAX ? GRPC_STATUS_HIDDEN
						       : (uint16_t)grpc_status_of_reset(code);
	report(s, c, call, at->is_response ? TXN_STREAM_RESET : TXN_CANCELLED, at->last_ns);
}

void http2_streams_miss(struct http2_streams *s)
{
	s->has_missed = true;
	for (struct call *call = s->calls.oldest; call; call = call->newer)
		call->may_have_ended = true;
}

/* --- the connection -------------------------------------------------------------- */

void http2_streams_upgrade(struct http2_streams *s, struct conn *c, struct exchange *e)
{
	struct call *call = calls_add(&s->calls, &env_of(c)->calls, 1);

	if (!call) {
		env_of(c)->stats.lost[ENGINE_LOST_MEMORY]++;
		return;
	}
	s->first_stream = s->newest_stream = 1;
	call->kind = CALL_HTTP;
	call->start_ns = e->start_ns;
	call->known_method = e->known_method;
	call->route = e->route;
	call->rpc_method = attributes_unknown_rpc;
	call->server_address = e->server_address;
	call->timeout_ns = 0;
	call->has_trace = e->has_trace;
	call->trace = e->trace;
	call->is_probe = e->is_probe;
	call->request_bytes = e->request_bytes;
	call->request_end_ns = e->request_end_ns;
	call->request_end_seq = e->request_end_seq;
	call->read_ns = e->read_ns;
	call->grpc_status = GRPC_STATUS_NONE;
	call->tid = e->tid;
	call->tgid = e->tgid;
	call->wire = exchanges_take_wire(&((struct session *)c->user)->open, e);
	call->wire_size = 0; /* it is not known: it serves no other call */
	call->wire_method_len = e->wire_method_len;
	call->wire_target_len = e->wire_target_len;
	call->headers = e->headers;
	e->headers = NULL;
	call->active = e->active;
	call->candidates = e->candidates;
	e->candidates = 0;
	e->active = NULL;
}

void http2_streams_end(struct http2_streams *s, struct conn *c, enum conn_end how, bool is_lost,
		       uint64_t time_ns)
{
	while (s->calls.oldest) {
		struct call *call = s->calls.oldest;

		env_of(c)->stats.requests_unanswered += how == CONN_CUT && call->active;
		if (how == CONN_EVICTED || how == CONN_EVICTED_MEMORY)
			lose(s, c, call,
			     how == CONN_EVICTED ? ENGINE_LOST_EVICTED : ENGINE_LOST_MEMORY);
		else if (how == CONN_MUTED || how == CONN_CUT)
			close_call(s, c, call);
		else if (call->may_have_ended || is_lost || how == CONN_UNDECRYPTABLE)
			lose(s, c, call, ENGINE_LOST_RESPONSE);
		else
			report(s, c, call, how == CONN_RESET ? TXN_RESET : TXN_CLOSED, time_ns);
	}
	calls_release(&s->calls, &env_of(c)->calls);
}
