/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/http2_session.h"

#include <string.h>

#include "proto/http2.h"
#include "txn/http2_streams.h"
#include "txn/session.h"

/* Sessions that take header lists, 7 KB each without them. Fields of others stay unknown. */
#define HIDDEN_MAX 512

struct http2_session {
	struct conn *conn; /* of a session with unknown fields; NULL: it is none of those */
	struct http2_session *next; /* of those */
	struct http2_session *previous;
	struct http2 parser[2]; /* by enum dir */
	struct http2_memory http2_memory;
	struct http2_streams streams; /* its role is a guess until is_role_known */
	bool is_role_known;
	/* by enum dir: the source asked for a frame start, which was not reported yet */
	bool wants_frame_start[2];
};

static struct http2_session *http2_of(struct conn *c)
{
	return ((struct session *)c->user)->http2;
}

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

static struct http2 *parser_of(struct http2_session *h, bool is_response)
{
	return &h->parser[h->parser[0].at.is_response != is_response];
}

/* Sets the role of both parsers. */
static void set_role(struct http2_session *h, enum role role)
{
	enum dir request = request_dir(role);

	h->streams.role = role;
	h->parser[request].at.is_response = false;
	h->parser[dir_other(request)].at.is_response = true;
}

bool http2_session_begin(struct conn *c, struct session *s, enum role role, bool joins,
			 unsigned seen)
{
	struct http2_session *h = memory_calloc(&c->memory, 1, sizeof(*h));
	struct session_env *env = env_of(c);

	if (!h) {
		env->stats.parse_failed[PARSE_FAIL_MEMORY]++;
		return false;
	}
	s->http2 = h;
	s->protocol = &http2_protocol;
	h->streams.calls.memory = &c->memory;
	h->http2_memory = (struct http2_memory){&c->memory, &env->http2_table_bytes};
	for (int dir = 0; dir < 2; dir++) {
		http2_init(&h->parser[dir], false, &h->http2_memory);
		h->parser[dir].generation = &env->number;
		h->parser[dir].wants_trace = session_needs_trace(env);
		h->parser[dir].observer = &env->headers.observer;
		if (joins)
			http2_join(&h->parser[dir]);
		/* The source may have asked with a segment before HTTP/2 was detected. */
		h->wants_frame_start[dir] = joins && env->on_frame;
	}
	h->is_role_known = role != ROLE_UNKNOWN;
	set_role(h, h->is_role_known ? role : ROLE_SERVER);
	h->streams.has_missed = joins;
	if (!joins)
		http2_preface(parser_of(h, false), seen);
	return true;
}

void http2_session_upgrade(struct conn *c, struct session *s, struct exchange *e)
{
	http2_streams_upgrade(&s->http2->streams, c, e);
}

const struct http2_streams *http2_session_streams(const struct session *s)
{
	return &s->http2->streams;
}

/* --- what the parsers call ------------------------------------------------------- */

/* A field is unknown, which a header list may tell. */
static __attribute__((cold)) void on_hidden_field(struct http2_session *h, struct conn *c)
{
	struct session_env *env = env_of(c);

	if (!env->on_hidden_field)
		return;
	env->on_hidden_field(env->source_ctx);
	if (h->conn || env->hidden.count == HIDDEN_MAX || http2_recall(&h->parser[0]) ||
	    http2_recall(&h->parser[1]))
		return;
	h->conn = c;
	h->next = env->hidden.first;
	if (h->next)
		h->next->previous = h;
	env->hidden.first = h;
	env->hidden.count++;
}

static void leave_hidden(struct http2_session *h, struct session_env *env)
{
	if (!h->conn)
		return;
	if (h->next)
		h->next->previous = h->previous;
	if (h->previous)
		h->previous->next = h->next;
	else
		env->hidden.first = h->next;
	env->hidden.count--;
	h->conn = NULL;
}

static void on_head(void *ctx, const struct http2_arrival *at, uint32_t stream,
		    const struct http2_head *head, bool is_end)
{
	struct conn *c = ctx;
	struct http2_session *h = http2_of(c);
	bool is_response = at->is_response;

	if (__builtin_expect(head->unknown, 0)) {
		env_of(c)->stats.http2_unknown_fields += head->unknown;
		on_hidden_field(h, c);
	}
	if (!h->is_role_known) {
		if (!head->is_request && !head->status)
			return;
		if (head->is_request == is_response)
			set_role(h, h->streams.role == ROLE_SERVER ? ROLE_CLIENT : ROLE_SERVER);
		is_response = !head->is_request;
		h->is_role_known = true;
	}
	if (is_response)
		http2_streams_response(&h->streams, c, at, stream, head, is_end);
	else
		http2_streams_request(&h->streams, c, at, stream, head, is_end,
				      http2_is_out_of_sync(parser_of(h, true)));
}

static void on_body(void *ctx, const struct http2_arrival *at, uint32_t stream, struct span body,
		    bool is_end)
{
	struct conn *c = ctx;
	struct http2_session *h = http2_of(c);

	if (h->is_role_known)
		http2_streams_body(&h->streams, c, at, stream, body, is_end);
}

static void on_lost_end(void *ctx, const struct http2_arrival *at, uint32_t stream)
{
	struct conn *c = ctx;

	if (at->is_response)
		http2_streams_lost_end(&http2_of(c)->streams, c, stream);
}

static void on_reset(void *ctx, const struct http2_arrival *at, uint32_t stream, uint32_t code)
{
	struct conn *c = ctx;

	http2_streams_reset(&http2_of(c)->streams, c, at, stream, code);
}

static void on_fail(void *ctx, const struct http2_arrival *at, enum parse_fail why)
{
	struct conn *c = ctx;

	env_of(c)->stats.parse_failed[why]++;
	if (http2_is_out_of_sync(parser_of(http2_of(c), at->is_response)))
		http2_streams_miss(&http2_of(c)->streams);
}

static const struct http2_sink parser_sink = {
	.head = on_head,
	.body = on_body,
	.lost_end = on_lost_end,
	.reset = on_reset,
	.fail = on_fail,
};

/* --- what the session calls ------------------------------------------------------ */

/*
 * Reports to the source the position of the first frame at or after the segment. Even if the report
 * is too late for that, it confirms that the connection is HTTP/2.
 */
static void report_frame_start(struct http2_session *h, struct conn *c, enum dir dir, uint32_t seq)
{
	const struct session_env *env = env_of(c);

	h->wants_frame_start[dir] = false;
	env->on_frame(env->source_ctx, c->id, dir, seq);
}

/* Data of a source that asks for a frame start, with this segment or an earlier one. */
static __attribute__((noinline)) void
data_of_asking_source(struct http2_session *h, struct conn *c, enum dir dir,
		      const struct segment_view *view, enum http2_start start, uint64_t time_ns)
{
	bool asks = view->wants_frame_start && env_of(c)->on_frame;
	uint32_t ahead = 0;
	bool is_at_frame;

	is_at_frame = asks && http2_next_frame(&h->parser[dir], &ahead) && ahead == 0;
	http2_data(&h->parser[dir], view->data, start, time_ns, &parser_sink, c);
	is_at_frame |= asks && http2_has_resynced(&h->parser[dir]);
	h->wants_frame_start[dir] |= asks;
	if (!h->wants_frame_start[dir])
		return;
	if (is_at_frame)
		report_frame_start(h, c, dir, view->seq);
	else if (http2_next_frame(&h->parser[dir], &ahead))
		report_frame_start(h, c, dir, c->bytes[dir].next + ahead);
}

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns)
{
	struct http2_session *h = s->http2;
	enum http2_start start = HTTP2_START_UNKNOWN;

	if (dir == DIR_EGRESS) {
		h->streams.tid = view->tid;
		h->streams.tgid = view->tgid;
	}
	if (view->is_frame)
		start = HTTP2_START_FRAME;
	else if (!view->is_derived)
		start = HTTP2_START_UNMARKED;
	if (!view->is_derived && (view->wants_frame_start || h->wants_frame_start[dir]))
		data_of_asking_source(h, c, dir, view, start, time_ns);
	else
		http2_data(&h->parser[dir], view->data, start, time_ns, &parser_sink, c);
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	(void)view;
	http2_skip(&s->http2->parser[dir], len, time_ns, &parser_sink, c);
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	(void)view;
	env_of(c)->stats.bytes_lost_framing += len;
	http2_lost(&s->http2->parser[dir], len, time_ns, &parser_sink, c);
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	struct http2_session *h = s->http2;
	bool is_lost = http2_is_out_of_sync(&h->parser[0]) || http2_is_out_of_sync(&h->parser[1]);

	http2_streams_end(&h->streams, c, how, is_lost, time_ns);
	leave_hidden(h, env_of(c));
	http2_release(&h->parser[0]);
	http2_release(&h->parser[1]);
	memory_free(&c->memory, h);
	s->http2 = NULL;
}

const struct protocol_ops http2_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .end = on_end};

/* --- header lists ---------------------------------------------------------------- */

static bool are_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static bool is_of(const struct http2_session *h, const struct header_list *list)
{
	const struct endpoint *local = &h->conn->local;
	const struct endpoint *remote = &h->conn->remote;

	return h->is_role_known && h->streams.role == list->role &&
	       ((are_same(local, &list->ends[0]) && are_same(remote, &list->ends[1])) ||
		(are_same(local, &list->ends[1]) && are_same(remote, &list->ends[0])));
}

enum engine_list http2_sessions_add_list(struct http2_session *first,
					 const struct header_list *list)
{
	struct http2_session *found = NULL;

	for (struct http2_session *h = first; h; h = h->next) {
		if (!is_of(h, list))
			continue;
		if (found)
			return ENGINE_LIST_AMBIGUOUS;
		found = h;
	}
	if (!found)
		return ENGINE_LIST_NO_CONNECTION;
	switch (http2_add_list(&found->parser[list->dir], &list->list)) {
	case HTTP2_RECALLED_LATER:
	case HTTP2_RECALLED_FIELDS:
		return ENGINE_LIST_TAKEN;
	case HTTP2_RECALLED_MISMATCH:
		return ENGINE_LIST_MISMATCH;
	default:
		return ENGINE_LIST_DROPPED;
	}
}

void http2_session_read(struct session *s)
{
	http2_streams_read(&s->http2->streams, &s->read);
}
