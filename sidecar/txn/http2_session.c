/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/http2_session.h"

#include "proto/http2.h"
#include "txn/http2_streams.h"
#include "txn/session.h"

/* Sessions that want header lists at once; fields of others stay unknown. They take 7 KB each. */
#define WANTING_MAX 512
/* Heads in a row without an unknown field, after which a session wants no list any more. */
#define KNOWN_HEADS 256
/* Heads with an unknown field, after which a list should have come, if it ever does. */
#define UNKNOWN_HEADS 8

/* A session that is older than us, and its header lists. */
struct wish {
	struct conn *conn; /* NULL: it wants none */
	struct http2_session *next; /* of those that want some */
	struct http2_session *previous;
	uint64_t since_ns; /* when it began to want some, or the last one came */
	uint64_t checked; /* how many connections there had been when has_twin was found */
	uint32_t known_heads; /* in a row */
	uint32_t unknown_heads; /* since the last list */
	bool has_twin;
	bool has_given_up;
};

struct http2_session {
	bool is_joined;
	struct wish wish;
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
	h->streams.has_missed = h->is_joined = joins;
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
static __attribute__((cold)) void on_unknown_field(struct http2_session *h, struct conn *c,
						   uint64_t time_ns)
{
	struct session_env *env = env_of(c);
	struct wish *w = &h->wish;

	if (!env->on_lists_wanted || !h->is_joined || w->has_given_up)
		return;
	w->known_heads = 0;
	w->unknown_heads++;
	if (!w->conn && env->wanting.count < WANTING_MAX) {
		*w = (struct wish){.conn = c, .next = env->wanting.first, .since_ns = time_ns};
		if (w->next)
			w->next->wish.previous = h;
		env->wanting.first = h;
		env->wanting.count++;
		env->on_lists_wanted(env->source_ctx);
	}
	if (!w->conn) {
		env->stats.header_lists[ENGINE_LIST_TOO_MANY]++;
		return;
	}
	http2_recall(&h->parser[0], env->stats.header_lists);
	http2_recall(&h->parser[1], env->stats.header_lists);
}

static void want_none(struct http2_session *h, struct session_env *env)
{
	struct wish *w = &h->wish;

	if (!w->conn)
		return;
	if (w->next)
		w->next->wish.previous = w->previous;
	if (w->previous)
		w->previous->wish.next = w->next;
	else
		env->wanting.first = w->next;
	env->wanting.count--;
	w->conn = NULL;
}

static void on_head(void *ctx, const struct http2_arrival *at, uint32_t stream,
		    const struct http2_head *head, bool is_end)
{
	struct conn *c = ctx;
	struct http2_session *h = http2_of(c);
	bool is_response = at->is_response;

	if (__builtin_expect(head->unknown, 0)) {
		env_of(c)->stats.http2_unknown_fields += head->unknown;
		on_unknown_field(h, c, at->last_ns);
	} else if (__builtin_expect(h->wish.conn != NULL, 0) &&
		   ++h->wish.known_heads == KNOWN_HEADS) {
		want_none(h, env_of(c));
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
	want_none(h, env_of(c));
	http2_release(&h->parser[0]);
	http2_release(&h->parser[1]);
	memory_free(&c->memory, h);
	s->http2 = NULL;
}

const struct protocol_ops http2_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .end = on_end};

/* --- header lists ---------------------------------------------------------------- */

static bool is_of(const struct http2_session *h, const struct header_list *list)
{
	const struct endpoint *local = &h->wish.conn->local;
	const struct endpoint *remote = &h->wish.conn->remote;

	return h->is_role_known && h->streams.role == list->role &&
	       ((endpoint_is(local, &list->ends[0]) && endpoint_is(remote, &list->ends[1])) ||
		(endpoint_is(local, &list->ends[1]) && endpoint_is(remote, &list->ends[0])));
}

struct http2_session *http2_sessions_find(struct http2_session *first,
					  const struct header_list *list)
{
	struct http2_session *h = first;

	while (h && !is_of(h, list))
		h = h->wish.next;
	return h;
}

const struct conn *http2_session_conn(const struct http2_session *h)
{
	return h->wish.conn;
}

bool http2_session_is_checked(const struct http2_session *h, uint64_t conns_total)
{
	return h->wish.checked == conns_total;
}

bool http2_session_check(struct http2_session *h, uint64_t conns_total, bool has_twin)
{
	h->wish.has_twin |= has_twin;
	h->wish.checked = conns_total;
	return h->wish.has_twin;
}

void http2_session_add_list(struct http2_session *h, const struct header_list *list)
{
	h->wish.unknown_heads = 0;
	h->wish.since_ns = 0;
	if (!http2_add_list(&h->parser[list->dir], &list->list))
		env_of(h->wish.conn)->stats.header_lists[HTTP2_RECALLED_UNNEEDED]++;
}

void http2_sessions_each_wanting(struct session_env *env, uint64_t time_ns,
				 engine_wants_lists_fn fn, void *ctx)
{
	struct http2_session *next;

	for (struct http2_session *h = env->wanting.first; h; h = next) {
		struct wish *w = &h->wish;

		next = w->next;
		if (!w->since_ns)
			w->since_ns = time_ns;
		w->has_given_up = w->unknown_heads >= UNKNOWN_HEADS && time_ns > w->since_ns &&
				  time_ns - w->since_ns > ENGINE_LISTS_WAIT_NS;
		if (w->has_given_up)
			want_none(h, env);
		else
			fn(ctx, &w->conn->local, &w->conn->remote);
	}
}

void http2_session_read(struct session *s)
{
	http2_streams_read(&s->http2->streams, &s->read);
}
