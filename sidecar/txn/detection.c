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

/* A longer line without an end may just as well be words of a body, and the
 * answer holds for the life of the connection. */
#define ROLE_LINE_MAX 256

/* Pieces of an older connection that are one whole frame each, until it is taken for HTTP/2. */
#define LIKELY_FRAMES 2

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

static enum dir request_dir(enum role role)
{
	return role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;
}

/* view: the segment at hand; the bytes that were held come before it. */
static void begin_http1(struct conn *c, struct session *s, enum role role,
			const struct segment_view *view)
{
	unsigned held = s->held;
	struct segment_view first;

	s->held = 0;
	http1_session_begin(c, s, role);
	if (!held)
		return;
	first = segment_view_with(view, (struct span){HTTP2_PREFACE, held});
	http1_protocol.data(c, s, request_dir(role), &first, s->held_ns);
}

/* The bytes of view are HTTP/1. */
static void go_http1(struct conn *c, struct session *s, enum dir dir, enum role role,
		     const struct segment_view *view, uint64_t time_ns)
{
	begin_http1(c, s, role, view);
	http1_session_lose_start(c, s, view, time_ns);
	http1_protocol.data(c, s, dir, view, time_ns);
}

/* The bytes of view, of which there may be none, are HTTP/2. */
static void go_http2(struct conn *c, struct session *s, enum dir dir, enum role role, bool joins,
		     const struct segment_view *view, uint64_t time_ns)
{
	if (http2_session_begin(c, s, role, joins, s->held) && view->data.len)
		http2_protocol.data(c, s, dir, view, time_ns);
}

/* More of the preface, or the whole; false if it is none. */
static bool is_preface(struct conn *c, struct session *s, enum role role,
		       const struct segment_view *view, uint64_t time_ns)
{
	size_t n = HTTP2_PREFACE_SIZE - (size_t)s->held;
	struct segment_view rest;

	n = n < view->data.len ? n : view->data.len;
	if (memcmp(view->data.ptr, &HTTP2_PREFACE[s->held], n) != 0)
		return false;
	if (!s->held)
		s->held_ns = time_ns;
	s->held = (uint8_t)(s->held + n);
	rest = segment_view_with(view, span_from(view->data, n));
	if (s->held == HTTP2_PREFACE_SIZE)
		go_http2(c, s, request_dir(role), role, false, &rest, time_ns);
	if (s->protocol == &http2_protocol && c->role != ROLE_UNKNOWN)
		s->protocol = &preface_protocol;
	return true;
}

/* The piece is one frame by its 24 bits of length, with all the fields of a stream. */
static bool is_whole_head(struct span data)
{
	struct http2_frame f = http2_frame_read(data.ptr);

	return f.type == HTTP2_HEADERS && f.flags & HTTP2_FLAG_END_HEADERS;
}

/* Of an older connection: does the piece look like frames? */
static bool is_likely_http2(struct session *s, struct span data)
{
	struct http2_sync sync = {0};
	unsigned headers;
	size_t end;

	if (http2_sync_find(&sync, data, false) != HTTP2_SYNC_NONE)
		return true;
	headers = http2_frame_chain(data.ptr, data.len, &end);
	/* The second header is where the first says: of one place only, that is proof. */
	if (headers >= 2)
		return true;
	if (headers == 1 && end == data.len) {
		/* To wait for a second one would lose the request that this one begins. */
		if (is_whole_head(data))
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

/* A segment of a connection whose opening was not seen, or whose first bytes were lost. */
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

/* Of a connection whose first bytes these are, or that was found not to be HTTP before. */
static bool is_not_http(struct conn *c, struct session *s, enum dir dir, struct span data)
{
	bool is_from_client = c->role != ROLE_UNKNOWN && dir == request_dir(c->role);

	if (s->not_http && s->is_banner && is_from_client) {
		/* A client of HTTP has reached another server: its request has no response. */
		s->is_banner = false;
		if (http1_is_request(data) && memchr(data.ptr, '\n', data.len))
			s->not_http = NOT_HTTP_NONE;
		return s->not_http;
	}
	if (s->not_http)
		return true;
	if (c->role == ROLE_UNKNOWN || s->held || s->has_lost_start[0] || s->has_lost_start[1])
		return false;
	s->not_http = (uint8_t)not_http_detect(data, is_from_client);
	s->is_banner = s->not_http && !is_from_client;
	if (s->not_http)
		env_of(c)->stats.conns_not_http[s->not_http]++;
	return s->not_http;
}

/* The first bytes, a PROXY header excluded, which no added protocol has taken. */
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
	/* SETTINGS, of a server that does not wait for the preface. */
	if (!is_from_client && view->data.ptr[0] == '\0')
		go_http2(c, s, dir, c->role, false, view, time_ns);
	else
		go_http1(c, s, dir, c->role, view, time_ns);
}

/* The bytes that were held for added protocols come before those of view. */
static void release_first_bytes(struct conn *c, struct session *s, const struct segment_view *view)
{
	char buf[PROTOCOL_DETECT_MAX];
	struct segment_view first;
	uint64_t time_ns;

	if (!s->first_bytes)
		return;
	first = protocols_give_back(c, s, view, buf, &time_ns);
	if (s->protocol)
		s->protocol->data(c, s, first.dir, &first, time_ns);
	else
		first_of_http(c, s, first.dir, &first, time_ns);
}

/* The first bytes, a PROXY header excluded. */
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

/* The bytes that were held were no PROXY header; those of view follow them. */
static void release_held(struct conn *c, struct session *s, enum dir dir,
			 const struct segment_view *view, uint64_t time_ns)
{
	char buf[PROXY_BUFFER_MAX];
	struct segment_view held = proxy_header_give_back(c, s, view, buf);

	first_data(c, s, dir, &held, s->held_ns);
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
	case PROXY_HEADER_HELD:
		release_held(c, s, dir, &rest, time_ns);
		break;
	case PROXY_HEADER_BAD:
		detection_refuse(c, s, dir, &rest);
		break;
	case PROXY_HEADER_INSIDE:
		break;
	}
}

/* The direction's first bytes are not all there. */
static void lose_start(struct conn *c, struct session *s, enum dir dir, uint32_t len)
{
	if (!proxy_header_miss(c, s, dir, len))
		s->has_lost_start[dir] = true;
}

static void on_skip(struct conn *c, struct session *s, enum dir dir,
		    const struct segment_view *view, uint32_t len, uint64_t time_ns)
{
	release_first_bytes(c, s, view);
	if (s->protocol) {
		s->protocol->skip(c, s, dir, view, len, time_ns);
	} else if (s->held) {
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
	} else if (s->held) {
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

	release_first_bytes(c, s, &none);
	if (s->protocol && s->protocol->end)
		s->protocol->end(c, s, how, time_ns);
}

const struct protocol_ops detection_protocol = {
	.data = on_data, .skip = on_skip, .lost = on_lost, .fin = on_fin, .end = on_end};
