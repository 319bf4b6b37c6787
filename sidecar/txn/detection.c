/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/detection.h"

#include <string.h>

#include "proto/http1_head.h"
#include "proto/http2_frame.h"
#include "proto/http2_sync.h"
#include "proto/not_http.h"
#include "txn/http1_session.h"
#include "txn/http2_session.h"
#include "txn/preface.h"
#include "txn/protocols.h"
#include "txn/proxy_header.h"

/*
 * A longer line without an end may as well be text of a body, and the role can't be corrected
 * later.
 */
#define ROLE_LINE_MAX 256

/* On an older connection, so many segments that are exactly one frame each mean HTTP/2. */
#define LIKELY_FRAMES 2

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

/* view: the current segment, which the buffered bytes precede. */
static void begin_http1(struct conn *c, struct session *s, enum role role,
			const struct segment_view *view)
{
	unsigned preface_bytes = s->preface_bytes;
	struct segment_view first;

	s->preface_bytes = 0;
	http1_session_begin(c, s, role);
	if (!preface_bytes)
		return;
	first = segment_view_with(view, (struct span){HTTP2_PREFACE, preface_bytes});
	http1_protocol.data(c, s, request_dir(role), &first, s->buffered_ns);
}

/* The bytes of view are HTTP/1. */
static void go_http1(struct conn *c, struct session *s, enum dir dir, enum role role,
		     const struct segment_view *view, uint64_t time_ns)
{
	begin_http1(c, s, role, view);
	http1_session_lose_start(c, s, view, time_ns);
	http1_protocol.data(c, s, dir, view, time_ns);
}

/* The bytes of view, if any, are HTTP/2. */
static void go_http2(struct conn *c, struct session *s, enum dir dir, enum role role, bool joins,
		     const struct segment_view *view, uint64_t time_ns)
{
	if (http2_session_begin(c, s, role, joins, s->preface_bytes) && view->data.len)
		http2_protocol.data(c, s, dir, view, time_ns);
}

/* Consumes the next part of the preface. Returns false if the bytes do not match it. */
static bool is_preface(struct conn *c, struct session *s, enum role role,
		       const struct segment_view *view, uint64_t time_ns)
{
	size_t n = HTTP2_PREFACE_SIZE - (size_t)s->preface_bytes;
	struct segment_view rest;

	n = n < view->data.len ? n : view->data.len;
	if (memcmp(view->data.ptr, &HTTP2_PREFACE[s->preface_bytes], n) != 0)
		return false;
	if (!s->preface_bytes)
		s->buffered_ns = time_ns;
	s->preface_bytes = (uint8_t)(s->preface_bytes + n);
	rest = segment_view_with(view, span_from(view->data, n));
	if (s->preface_bytes == HTTP2_PREFACE_SIZE)
		go_http2(c, s, request_dir(role), role, false, &rest, time_ns);
	if (s->protocol == &http2_protocol && c->role != ROLE_UNKNOWN)
		s->protocol = &preface_protocol;
	return true;
}

/* True if the segment is a HEADERS frame that is complete. */
static bool is_complete_head(struct span data)
{
	struct http2_frame f = http2_frame_read(data.ptr);

	return f.type == HTTP2_HEADERS && f.flags & HTTP2_FLAG_END_HEADERS;
}

/* True if a segment of an older connection looks like frames. */
static bool is_likely_http2(struct session *s, struct span data)
{
	struct http2_sync sync = {0};
	unsigned headers;
	size_t end;

	if (http2_sync_find(&sync, data, false) != HTTP2_SYNC_NONE)
		return true;
	headers = http2_frame_chain(data.ptr, data.len, &end);
	/* The second header at the offset that the first one implies is sufficient. */
	if (headers >= 2)
		return true;
	if (headers == 1 && end == data.len) {
		/* Waiting for a second frame would lose the request of this one. */
		if (is_complete_head(data))
			return true;
		s->likely_frames++;
	} else {
		s->likely_frames = 0;
	}
	return s->likely_frames >= LIKELY_FRAMES;
}

static enum role role_by_start_line(enum dir dir, struct span data)
{
	if (data.len > ROLE_LINE_MAX && !memchr(data.ptr, '\n', data.len))
		return ROLE_UNKNOWN;
	if (http1_is_response(data))
		return dir == DIR_EGRESS ? ROLE_SERVER : ROLE_CLIENT;
	if (http1_is_request(data))
		return dir == DIR_INGRESS ? ROLE_SERVER : ROLE_CLIENT;
	return ROLE_UNKNOWN;
}

/* A segment of a connection whose opening or first bytes were not seen. */
static void join(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		 uint64_t time_ns)
{
	enum role role = dir == DIR_INGRESS ? ROLE_SERVER : ROLE_CLIENT;
	struct span data = view->data;

	if (data.len >= HTTP2_PREFACE_SIZE && is_preface(c, s, role, view, time_ns))
		return;
	role = role_by_start_line(dir, data);
	if (role != ROLE_UNKNOWN && (role == c->role || c->role == ROLE_UNKNOWN) && !view->is_frame)
		go_http1(c, s, dir, role, view, time_ns);
	else if (view->is_frame || is_likely_http2(s, data))
		go_http2(c, s, dir, c->role, true, view, time_ns);
}

/*
 * The connection carries no HTTP. If TLS begins inside of it later (STARTTLS), the source copies
 * that, unless it is told. transport.c does so for a connection that is TLS from its start.
 */
static void report_not_http(struct conn *c, const struct session *s)
{
	struct session_env *env = env_of(c);

	if (env->on_unneeded && s->not_http && !s->is_banner && !s->tls)
		env->on_unneeded(env->source_ctx, c->id, SL_MUTE_UNKNOWN);
}

/* True if the first bytes, or earlier ones, belong to another protocol. */
static bool is_not_http(struct conn *c, struct session *s, enum dir dir, struct span data)
{
	bool is_from_client = c->role != ROLE_UNKNOWN && dir == request_dir(c->role);

	if (s->not_http && s->is_banner && is_from_client) {
		/* The client sends HTTP to another kind of server: its request gets no response. */
		s->is_banner = false;
		if (http1_is_request(data) && memchr(data.ptr, '\n', data.len))
			s->not_http = NOT_HTTP_NONE;
		report_not_http(c, s);
		return s->not_http;
	}
	if (s->not_http)
		return true;
	if (c->role == ROLE_UNKNOWN || s->preface_bytes || s->has_lost_start[0] ||
	    s->has_lost_start[1])
		return false;
	s->not_http = (uint8_t)not_http_detect(data, is_from_client);
	s->is_banner = s->not_http && !is_from_client;
	if (s->not_http)
		env_of(c)->stats.conns_not_http[s->not_http]++;
	report_not_http(c, s);
	return s->not_http;
}

/* The first bytes after a PROXY header, if no added protocol takes them. */
static void first_of_http(struct conn *c, struct session *s, enum dir dir,
			  const struct segment_view *view, uint64_t time_ns)
{
	bool is_from_client;

	if (is_not_http(c, s, dir, view->data))
		return;
	if (c->role == ROLE_UNKNOWN || s->has_lost_start[0] || s->has_lost_start[1]) {
		join(c, s, dir, view, time_ns);
		return;
	}
	is_from_client = dir == request_dir(c->role);
	if (is_from_client && is_preface(c, s, c->role, view, time_ns))
		return;
	/* A server may send SETTINGS before the client's preface. */
	if (!is_from_client && view->data.ptr[0] == '\0')
		go_http2(c, s, dir, c->role, false, view, time_ns);
	else
		go_http1(c, s, dir, c->role, view, time_ns);
}

/* Passes on the bytes that were buffered for added protocols, which precede those of view. */
static void release_first_bytes(struct conn *c, struct session *s, const struct segment_view *view)
{
	char buf[PROTOCOL_DETECT_MAX];
	struct segment_view first;
	uint64_t time_ns;

	if (!s->first_bytes)
		return;
	first = protocols_take_buffered(c, s, view, buf, &time_ns);
	if (s->protocol)
		s->protocol->data(c, s, first.dir, &first, time_ns);
	else
		first_of_http(c, s, first.dir, &first, time_ns);
}

/* The first bytes after a PROXY header. */
static void first_data(struct conn *c, struct session *s, enum dir dir,
		       const struct segment_view *view, uint64_t time_ns)
{
	if (env_of(c)->protocols.count &&
	    protocols_detect(c, s, dir, view, time_ns) == DETECTION_MORE)
		return;
	release_first_bytes(c, s, view);
	if (s->protocol)
		s->protocol->data(c, s, dir, view, time_ns);
	else
		first_of_http(c, s, dir, view, time_ns);
}

void detection_refuse(struct conn *c, struct session *s, enum dir dir,
		      const struct segment_view *view)
{
	env_of(c)->stats.parse_failed[PARSE_FAIL_START_LINE]++;
	if (c->role == ROLE_UNKNOWN)
		return;
	begin_http1(c, s, c->role, view);
	http1_tunnel(&s->parser[dir]);
}

/* The buffered bytes were no PROXY header; the bytes of view follow them. */
static void release_buffered(struct conn *c, struct session *s, enum dir dir,
			     const struct segment_view *view, uint64_t time_ns)
{
	char buf[PROXY_BUFFER_MAX];
	struct segment_view buffered = proxy_header_take_buffered(c, s, view, buf);

	first_data(c, s, dir, &buffered, s->buffered_ns);
	if (s->protocol)
		s->protocol->data(c, s, dir, view, time_ns);
	else
		first_data(c, s, dir, view, time_ns);
}

bool detection_may_have_header(const struct conn *c, const struct session *s, enum dir dir)
{
	return !s->is_past_proxy[dir] && !s->has_lost_start[dir] &&
	       (c->role == ROLE_UNKNOWN || dir == request_dir(c->role));
}

static void on_data(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint64_t time_ns)
{
	struct segment_view rest = *view;

	if (!detection_may_have_header(c, s, dir)) {
		first_data(c, s, dir, view, time_ns);
		return;
	}
	switch (proxy_header_take(c, s, dir, &rest, time_ns)) {
	case PROXY_HEADER_NONE:
		if (rest.data.len)
			first_data(c, s, dir, &rest, time_ns);
		break;
	case PROXY_HEADER_BUFFERED:
		release_buffered(c, s, dir, &rest, time_ns);
		break;
	case PROXY_HEADER_BAD:
		detection_refuse(c, s, dir, &rest);
		break;
	case PROXY_HEADER_INSIDE:
		break;
	}
}

/* Some of the direction's first bytes are missing. */
static void lose_start(struct conn *c, struct session *s, enum dir dir, uint32_t len)
{
	if (!proxy_header_skip(c, s, dir, len))
		s->has_lost_start[dir] = true;
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	release_first_bytes(c, s, view);
	if (s->protocol) {
		s->protocol->skip(c, s, dir, view, len, time_ns);
	} else if (s->preface_bytes) {
		begin_http1(c, s, c->role, view);
		http1_protocol.skip(c, s, dir, view, len, time_ns);
	} else if (s->proxy) {
		lose_start(c, s, dir, len);
	}
}

static void on_lost(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	release_first_bytes(c, s, view);
	if (s->protocol) {
		s->protocol->lost(c, s, dir, view, len, time_ns);
	} else if (s->preface_bytes) {
		begin_http1(c, s, c->role, view);
		http1_protocol.lost(c, s, dir, view, len, time_ns);
	} else {
		env_of(c)->stats.bytes_lost_framing += len;
		lose_start(c, s, dir, len);
	}
}

static void on_fin(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint64_t time_ns)
{
	release_first_bytes(c, s, view);
	if (s->protocol && s->protocol->fin)
		s->protocol->fin(c, s, dir, view, time_ns);
}

static void on_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	const struct segment_view none = {.is_derived = true};

	(void)how;
	(void)time_ns;
	release_first_bytes(c, s, &none); /* session.c ends the protocol that they begin */
}

const struct protocol_ops detection_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin, .end = on_end};
