/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/multiplex.h"

#include <string.h>

#include "proto/http2.h"
#include "txn/call.h"
#include "txn/call_kind.h"
#include "txn/call_report.h"
#include "txn/candidate.h"
#include "txn/note.h"
#include "txn/session.h"

struct multiplex {
	struct http2 parser[2]; /* by enum dir */
	struct http2_memory http2_memory;
	struct calls calls;
	enum role role; /* a guess until is_role_known */
	bool is_role_known;
	bool has_missed; /* frames; responses without request are no wonder */
	struct call_kinds kinds;
	uint32_t first_stream; /* whose request was seen */
	uint32_t newest_stream; /* likewise; 0: none */
	uint32_t tid; /* of the newest egress data */
	bool is_asked[2]; /* by enum dir: where frames start, and could not answer yet */
};

static struct session *session_of(struct conn *c)
{
	return (struct session *)c->user;
}

static struct multiplex *multiplex_of(struct conn *c)
{
	return session_of(c)->http2;
}

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

static struct http2 *parser_of(struct multiplex *m, bool is_response)
{
	return &m->parser[m->parser[0].is_response != is_response];
}

/* Hands the parsers their roles. */
static void set_role(struct multiplex *m, enum role role)
{
	enum dir request = role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;

	m->role = role;
	m->parser[request].is_response = false;
	m->parser[dir_other(request)].is_response = true;
}

bool multiplex_begin(struct conn *c, struct session *s, enum role role, bool joins, unsigned seen)
{
	struct multiplex *m = memory_calloc(&c->memory, 1, sizeof(*m));
	struct session_env *env = env_of(c);

	if (!m) {
		env->stats.parse_failed[PARSE_FAIL_MEMORY]++;
		return false;
	}
	s->http2 = m;
	s->protocol = &http2_protocol;
	m->calls.memory = &c->memory;
	m->http2_memory = (struct http2_memory){&c->memory, &env->http2_table_bytes};
	for (int dir = 0; dir < 2; dir++) {
		http2_init(&m->parser[dir], false, &m->http2_memory);
		m->parser[dir].generation = &env->number;
		if (joins)
			http2_join(&m->parser[dir]);
		/* Maybe with a piece that was not known for HTTP/2 yet. */
		m->is_asked[dir] = joins && env->on_frame;
	}
	m->is_role_known = role != ROLE_UNKNOWN;
	set_role(m, m->is_role_known ? role : ROLE_SERVER);
	m->has_missed = joins;
	if (!joins)
		http2_preface(parser_of(m, false), seen);
	return true;
}

static void free_multiplex(struct multiplex *m, struct conn *c)
{
	calls_release(&m->calls, &env_of(c)->calls);
	http2_release(&m->parser[0]);
	http2_release(&m->parser[1]);
	memory_free(&c->memory, m);
}

static void count_out(struct conn *c, struct call *call)
{
	if (call->active) {
		call->active->count--;
		env_of(c)->stats.requests_open--;
	}
}

static void close_call(struct multiplex *m, struct conn *c, struct call *call)
{
	struct session_env *env = env_of(c);

	count_out(c, call);
	if (__builtin_expect(call->candidates, 0))
		candidates_drop_call(c, call);
	calls_remove(&m->calls, &env->calls, call);
}

static void lose(struct multiplex *m, struct conn *c, struct call *call, enum engine_lost why)
{
	env_of(c)->stats.lost[why]++;
	close_call(m, c, call);
}

static void report(struct multiplex *m, struct conn *c, struct call *call, enum txn_error error,
		   uint64_t end_ns)
{
	call_kind_end(call, &m->kinds);
	if (m->role == ROLE_SERVER)
		call->tid = m->tid;
	call_report(call, c, m->role, error, end_ns);
	close_call(m, c, call);
}

/* --- requests -------------------------------------------------------------------- */

static void count_open(struct multiplex *m, struct conn *c, struct call *call, struct active *guess)
{
	struct session_env *env = env_of(c);
	bool is_rpc = call->kind == CALL_GRPC;
	/* A gauge has no method that has not earned its place. */
	const char *method = !is_rpc				   ? call->known_method
			     : call->candidates & CANDIDATE_METHOD ? label_other
								   : call->rpc_method;

	if (!active_is(guess, m->role, c->container, method, session_is_tls(c))) {
		guess = actives_find(&env->actives, m->role, c->container, method,
				     session_is_tls(c));
		guess->is_rpc = is_rpc && guess->known_method == method;
	}
	call->active = guess;
	guess->count++;
	env->stats.requests_open++;
}

static void begin_call(struct multiplex *m, struct conn *c, uint32_t stream,
		       const struct http2_head *head, bool is_end, uint64_t time_ns)
{
	struct session_env *env = env_of(c);
	const struct http2_note *note;
	struct call *call;

	if (m->calls.count >= CALLS_MAX)
		lose(m, c, m->calls.oldest, ENGINE_LOST_STREAMS);
	call = calls_add(&m->calls, &env->calls, stream);
	if (!call) {
		env->stats.lost[ENGINE_LOST_MEMORY]++;
		return;
	}
	if (m->newest_stream == 0)
		m->first_stream = stream;
	if (stream > m->newest_stream)
		m->newest_stream = stream;
	call_kind_head(call, &m->kinds, head);
	env->stats.grpc_web_requests += head->content == HTTP2_CONTENT_GRPC_WEB;
	note = note_find_http2(c, m->role, (enum call_kind)call->kind, head);
	call->start_ns = time_ns;
	call->known_method = note->known_method;
	call->route = note->route;
	call->rpc_method = note->rpc_method;
	call->server_address = note->server_address;
	call->candidates = note->candidates;
	call_kind_request(call, &m->kinds, is_end);
	call->is_connect = head->is_connect;
	call->is_probe = head->is_probe && m->role == ROLE_SERVER;
	call->is_suspect = http2_is_lost(parser_of(m, true));
	call->timeout_ns = head->timeout_ns;
	call->active = NULL;
	call->grpc_status = GRPC_STATUS_NONE;
	call->tid = m->tid;
	if (session_needs_target(env))
		calls_keep(&m->calls, call, head->method, head->path);
	if (call->is_probe)
		return;
	count_open(m, c, call, note->active);
	head->note->active = call->active;
}

static void on_request(struct multiplex *m, struct conn *c, uint32_t stream,
		       const struct http2_head *head, bool is_end, uint64_t time_ns)
{
	/* A lost block is a request's, not its trailers, if the stream is new. */
	if (!head->is_request && !(head->unknown && m->newest_stream && stream > m->newest_stream))
		return;
	if (stream % 2 == 1 && (stream > m->newest_stream || !calls_find(&m->calls, stream)))
		begin_call(m, c, stream, head, is_end, time_ns);
}

/* --- responses ------------------------------------------------------------------- */

static void end_response(struct multiplex *m, struct conn *c, struct call *call)
{
	uint64_t end_ns = parser_of(m, true)->last_ns;
	bool is_whole = call->has_response || call->grpc_status != GRPC_STATUS_NONE;

	/* The head was among what was lost, and nothing else tells how it ended. */
	if (!is_whole && m->has_missed)
		lose(m, c, call, ENGINE_LOST_RESPONSE);
	else
		report(m, c, call, is_whole ? TXN_OK : TXN_MALFORMED, end_ns);
}

/* A response that belongs to no request we saw. */
static void count_unpaired(struct multiplex *m, struct conn *c, uint32_t stream, bool is_end)
{
	if (is_end && m->has_missed && stream % 2 == 1 &&
	    (m->newest_stream == 0 || stream < m->first_stream))
		env_of(c)->stats.responses_unpaired++;
}

static void on_response(struct multiplex *m, struct conn *c, uint32_t stream,
			const struct http2_head *head, bool is_end, uint64_t time_ns)
{
	struct call *call = calls_find(&m->calls, stream);
	bool is_hidden = !head->status && head->unknown;

	if (!call) {
		count_unpaired(m, c, stream, is_end);
		return;
	}
	if (head->status && head->status < 200 && !is_end)
		return;
	call_kind_response(call, &m->kinds, head);
	/* What came first with an unknown status was interim if a status comes now. */
	if (head->status ? !call->has_response || call->status == TXN_STATUS_UNKNOWN
			 : is_hidden && !call->has_response) {
		call->status = is_hidden ? TXN_STATUS_UNKNOWN : head->status;
		call->has_response = true;
		/* Clocks of different CPUs may disagree by some ns. */
		call->first_byte_ns = time_ns > call->start_ns ? time_ns : call->start_ns;
	}
	if (is_end && head->grpc_status == GRPC_STATUS_NONE && head->unknown)
		call->grpc_status = GRPC_STATUS_HIDDEN;
	else if (head->grpc_status != GRPC_STATUS_NONE)
		call->grpc_status = head->grpc_status;
	if (is_end)
		end_response(m, c, call);
	else if (call->is_connect && call->status >= 200 && call->status < 300)
		report(m, c, call, TXN_OK, time_ns); /* what follows is no HTTP */
}

/* --- what the parsers call ------------------------------------------------------- */

static void on_head(void *ctx, bool is_response, uint32_t stream, const struct http2_head *head,
		    bool is_end, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct multiplex *m = multiplex_of(c);

	env_of(c)->stats.http2_unknown_fields += head->unknown;
	if (!m->is_role_known) {
		if (!head->is_request && !head->status)
			return;
		if (head->is_request == is_response)
			set_role(m, m->role == ROLE_SERVER ? ROLE_CLIENT : ROLE_SERVER);
		is_response = !head->is_request;
		m->is_role_known = true;
	}
	if (is_response)
		on_response(m, c, stream, head, is_end, time_ns);
	else
		on_request(m, c, stream, head, is_end, time_ns);
}

/* A call that may last has shown by its first response message that its method is served. */
static __attribute__((noinline)) void show_method(struct multiplex *m, struct conn *c,
						  struct call *call)
{
	candidates_settle_method(c, m->role, call);
	if (!call->active)
		return;
	count_out(c, call);
	count_open(m, c, call, call->active);
}

static void on_body(void *ctx, bool is_response, uint32_t stream, struct span body, bool is_end)
{
	struct conn *c = ctx;
	struct multiplex *m = multiplex_of(c);
	struct call *call;

	if (!m->is_role_known)
		return;
	call = calls_find(&m->calls, stream);
	if (!call) {
		if (is_response)
			count_unpaired(m, c, stream, is_end);
		return;
	}
	*(is_response ? &call->response_bytes : &call->request_bytes) += body.len;
	if (is_end && is_response)
		call_kind_no_trailers(call, &m->kinds);
	if (call->kind != CALL_HTTP) {
		if (body.ptr)
			grpc_messages_data(&call->messages[is_response], body);
		else
			grpc_messages_skip(&call->messages[is_response], body.len);
		if (call->candidates & CANDIDATE_METHOD && call->kind == CALL_GRPC && is_response &&
		    call->messages[true].count)
			show_method(m, c, call);
	}
	if (is_end && is_response)
		end_response(m, c, call);
}

static void on_lost_end(void *ctx, bool is_response, uint32_t stream)
{
	struct conn *c = ctx;
	struct multiplex *m = multiplex_of(c);
	struct call *call = is_response ? calls_find(&m->calls, stream) : NULL;

	if (call)
		lose(m, c, call, ENGINE_LOST_RESPONSE);
}

static void on_reset(void *ctx, bool is_response, uint32_t stream, uint32_t code)
{
	struct conn *c = ctx;
	struct multiplex *m = multiplex_of(c);
	struct call *call = calls_find(&m->calls, stream);

	if (!call)
		return;
	/* The response may have ended before, unseen. */
	if (call->is_suspect) {
		lose(m, c, call, ENGINE_LOST_RESPONSE);
		return;
	}
	if (!is_response)
		call->grpc_status = GRPC_CANCELLED;
	else
		call->grpc_status = code == UINT32_MAX ? GRPC_STATUS_HIDDEN
						       : (uint16_t)grpc_status_of_reset(code);
	report(m, c, call, is_response ? TXN_STREAM_RESET : TXN_CANCELLED,
	       parser_of(m, is_response)->last_ns);
}

static void on_fail(void *ctx, bool is_response, enum parse_fail why)
{
	struct conn *c = ctx;
	struct multiplex *m = multiplex_of(c);

	(void)is_response;
	env_of(c)->stats.parse_failed[why]++;
	if (why != PARSE_FAIL_LOST && why != PARSE_FAIL_FRAME)
		return;
	m->has_missed = true;
	for (struct call *call = m->calls.oldest; call; call = call->newer)
		call->is_suspect = true;
}

static const struct http2_sink parser_sink = {
	.head = on_head,
	.body = on_body,
	.lost_end = on_lost_end,
	.reset = on_reset,
	.fail = on_fail,
};

/* --- the connection -------------------------------------------------------------- */

void multiplex_upgrade(struct multiplex *m, struct conn *c, struct exchange *e)
{
	struct call *call = calls_add(&m->calls, &env_of(c)->calls, 1);

	if (!call) {
		env_of(c)->stats.lost[ENGINE_LOST_MEMORY]++;
		return;
	}
	m->first_stream = m->newest_stream = 1;
	call->kind = CALL_HTTP;
	call->start_ns = e->start_ns;
	call->known_method = e->known_method;
	call->route = e->route;
	call->rpc_method = note_unknown_rpc;
	call->server_address = e->server_address;
	call->timeout_ns = 0;
	call->is_probe = e->is_probe;
	call->request_bytes = e->request_bytes;
	call->grpc_status = GRPC_STATUS_NONE;
	call->tid = e->tid;
	call->wire = e->wire;
	call->wire_method_len = e->wire_method_len;
	call->wire_target_len = e->wire_target_len;
	call->active = e->active;
	call->candidates = e->candidates;
	e->candidates = 0;
	e->wire = NULL;
	e->active = NULL;
}

/*
 * The source that asked gets the position of the first frame that starts with the segment or behind
 * it. An answer that comes too late for that still says that it is HTTP/2.
 */
static void answer(struct multiplex *m, struct conn *c, enum dir dir, uint32_t ahead)
{
	const struct session_env *env = env_of(c);

	m->is_asked[dir] = false;
	env->on_frame(env->frame_ctx, c->id, dir, c->bytes[dir].next + ahead);
}

/* The segment asks, or one before it did. */
static __attribute__((noinline)) void asked_data(struct multiplex *m, struct conn *c, enum dir dir,
						 const struct segment_view *view,
						 enum http2_start start)
{
	bool asks = view->asks && env_of(c)->on_frame;
	uint32_t ahead = 0;
	bool is_at_frame;

	is_at_frame = asks && http2_next_frame(&m->parser[dir], &ahead) && ahead == 0;
	http2_data(&m->parser[dir], view->data, start, view->time_ns, &parser_sink, c);
	is_at_frame |= asks && http2_has_begun(&m->parser[dir]);
	m->is_asked[dir] |= asks;
	if (!m->is_asked[dir])
		return;
	if (is_at_frame)
		answer(m, c, dir, -(uint32_t)view->data.len);
	else if (http2_next_frame(&m->parser[dir], &ahead))
		answer(m, c, dir, ahead);
}

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view)
{
	struct multiplex *m = s->http2;
	enum http2_start start = HTTP2_START_ANY;

	if (dir == DIR_EGRESS && view->tid)
		m->tid = view->tid;
	if (view->is_frame)
		start = HTTP2_START_FRAME;
	else if (view->is_start)
		start = HTTP2_START_UNTOLD;
	if (view->is_start && (view->asks || m->is_asked[dir]))
		asked_data(m, c, dir, view, start);
	else
		http2_data(&m->parser[dir], view->data, start, view->time_ns, &parser_sink, c);
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len)
{
	http2_skip(&s->http2->parser[dir], len, view->time_ns, &parser_sink, c);
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len)
{
	env_of(c)->stats.bytes_lost_framing += len;
	http2_lost(&s->http2->parser[dir], len, view->time_ns, &parser_sink, c);
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	struct multiplex *m = s->http2;
	bool is_lost = http2_is_lost(&m->parser[0]) || http2_is_lost(&m->parser[1]);

	while (m->calls.oldest) {
		struct call *call = m->calls.oldest;

		env_of(c)->stats.requests_unanswered += how == CONN_CUT && call->active;
		if (how == CONN_EVICTED || how == CONN_EVICTED_MEMORY)
			lose(m, c, call,
			     how == CONN_EVICTED ? ENGINE_LOST_EVICTED : ENGINE_LOST_MEMORY);
		else if (how == CONN_MUTED || how == CONN_CUT)
			close_call(m, c, call);
		else if (call->is_suspect || is_lost || how == CONN_DARK)
			lose(m, c, call, ENGINE_LOST_RESPONSE);
		else
			report(m, c, call, how == CONN_RESET ? TXN_RESET : TXN_CLOSED, time_ns);
	}
	free_multiplex(m, c);
	s->http2 = NULL;
}

const struct protocol_ops http2_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .end = on_end};
