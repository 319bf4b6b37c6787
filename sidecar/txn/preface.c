/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/preface.h"

#include "proto/http1_head.h"
#include "txn/http1_session.h"
#include "txn/http2_session.h"
#include "txn/unreadable.h"

/* view starts with a response of HTTP/1. */
static void refuse(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint64_t time_ns)
{
	const struct engine_stats *stats = &((struct session_env *)c->owner)->stats;
	uint64_t before = stats->transactions + stats->lost[ENGINE_LOST_RESPONSE];
	struct http1 *request = &s->parser[dir_other(dir)];

	http2_protocol.end(c, s, CONN_CLOSED, time_ns);
	s->preface_bytes = 0;
	http1_session_begin(c, s, c->role);
	request->last_ns = s->buffered_ns;
	http1_resync(request);
	/* If no request followed the preface, the response answers the preface. */
	if (stats->transactions + stats->lost[ENGINE_LOST_RESPONSE] == before)
		unreadable_begin(s);
	else
		http1_tunnel(&s->parser[dir]);
	http1_protocol.data(c, s, dir, view, time_ns);
}

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns)
{
	if (dir != request_dir(c->role)) {
		s->protocol = &http2_protocol;
		if (http1_is_response(view->data)) {
			refuse(c, s, dir, view, time_ns);
			return;
		}
	}
	http2_protocol.data(c, s, dir, view, time_ns);
}

/* If the server's first bytes are missing, it is taken for HTTP/2, as the client is. */
static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	if (dir != request_dir(c->role))
		s->protocol = &http2_protocol;
	http2_protocol.skip(c, s, dir, view, len, time_ns);
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	if (dir != request_dir(c->role))
		s->protocol = &http2_protocol;
	http2_protocol.lost(c, s, dir, view, len, time_ns);
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	http2_protocol.end(c, s, how, time_ns);
}

const struct protocol_ops preface_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .end = on_end};
