/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/session.h"

#include "txn/detection.h"
#include "txn/http1_session.h"
#include "txn/http2_session.h"
#include "txn/protocols.h"
#include "txn/proxy_header.h"

static struct session *session_of(struct conn *c)
{
	return (struct session *)c->user;
}

static const struct protocol_ops *protocol_of(const struct session *s)
{
	return s->protocol ? s->protocol : &detection_protocol;
}

static void on_data(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	protocol_of(s)->data(c, s, dir, view, time_ns);
}

static void on_skip(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	protocol_of(s)->skip(c, s, dir, view, len, time_ns);
}

static void on_lost(void *ctx, enum dir dir, const struct segment_view *view, uint32_t len,
		    uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);
	struct session_env *env = c->owner;

	s->has_gap = true;
	env->stats.bytes_lost += len;
	protocol_of(s)->lost(c, s, dir, view, len, time_ns);
}

static void on_fin(void *ctx, enum dir dir, const struct segment_view *view, uint64_t time_ns)
{
	struct conn *c = ctx;
	struct session *s = session_of(c);

	if (protocol_of(s)->fin)
		protocol_of(s)->fin(c, s, dir, view, time_ns);
}

static void on_end(struct conn *c, enum conn_end how, uint64_t time_ns)
{
	struct session *s = session_of(c);
	const struct protocol_ops *protocol;

	/* Bytes that one still had may begin the next: detection, HTTP/1, and HTTP/2 after a 101.
	 */
	do {
		protocol = protocol_of(s);
		if (protocol->end)
			protocol->end(c, s, how, time_ns);
	} while (protocol_of(s) != protocol);
	proxy_header_release(c, s);
	protocols_release(c, s);
	/* An upgraded connection has spoken HTTP/1, too. */
	http1_session_release(s);
}

void session_read(struct conn *c, const struct event_read *read, uint64_t time_ns)
{
	struct session *s = session_of(c);

	if (c->role != ROLE_SERVER)
		return;
	s->read = (struct last_read){*read, time_ns};
	exchanges_read(&s->open, &s->read);
	if (s->http2)
		http2_session_read(s);
}

const struct conn_sink session_sink = {
	.bytes = {.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin},
	.end = on_end,
	.read = session_read,
};
