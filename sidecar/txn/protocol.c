/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/protocol.h"

#include <string.h>
#include <strings.h>

#include "proto/http2_frame.h"
#include "proto/http2_sync.h"
#include "proto/not_http.h"
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

	s->held = 0;
	s->role = role;
	http1_init(&s->parser[request_dir(role)], false);
	http1_init(&s->parser[dir_other(request_dir(role))], true);
	s->parser[0].memory = s->parser[1].memory = s->open.memory = &c->memory;
	if (held) {
		struct segment_view first =
			segment_view_with(view, (struct span){HTTP2_PREFACE, held}, s->held_ns);

		session_sink.bytes.data(c, request_dir(role), &first);
	}
}

static bool begin_http2(struct conn *c, struct session *s, enum role role, bool joins)
{
	s->http2 = multiplex_new(c, role, joins, s->held);
	if (!s->http2)
		env_of(c)->stats.parse_failed[PARSE_FAIL_MEMORY]++;
	return s->http2;
}

/* More of the preface, or the whole; false if it is none. */
static bool is_preface(struct conn *c, struct session *s, enum role role,
		       const struct segment_view *view)
{
	size_t n = HTTP2_PREFACE_SIZE - (size_t)s->held;
	struct segment_view rest;

	n = n < view->data.len ? n : view->data.len;
	if (memcmp(view->data.ptr, &HTTP2_PREFACE[s->held], n) != 0)
		return false;
	if (!s->held)
		s->held_ns = view->time_ns;
	s->held = (uint8_t)(s->held + n);
	rest = segment_view_with(view, span_from(view->data, n), view->time_ns);
	if (s->held == HTTP2_PREFACE_SIZE && begin_http2(c, s, role, false) && rest.data.len)
		multiplex_data(s->http2, c, request_dir(role), &rest);
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
	unsigned links;
	size_t end;

	if (http2_sync_find(&sync, data, false) != HTTP2_SYNC_NONE)
		return true;
	links = http2_frame_chain(data.ptr, data.len, &end);
	/* The second header is where the first says: of one place only, that is proof. */
	if (links >= 2)
		return true;
	if (links == 1 && end == data.len) {
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

/* A piece of a connection whose opening was not seen, or whose first bytes were lost. */
static bool join(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view)
{
	enum role role = dir == DIR_INGRESS ? ROLE_SERVER : ROLE_CLIENT;
	struct span data = view->data;

	if (data.len >= HTTP2_PREFACE_SIZE && is_preface(c, s, role, view))
		return false;
	role = role_by_start_line(dir, data);
	if (role != ROLE_UNKNOWN && (role == c->role || c->role == ROLE_UNKNOWN) &&
	    !view->is_frame) {
		begin_http1(c, s, role, view);
		return true;
	}
	if ((view->is_frame || is_likely_http2(s, data)) && begin_http2(c, s, c->role, true))
		multiplex_data(s->http2, c, dir, view);
	return false;
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
	s->not_http = (uint8_t)not_http_find(data, is_from_client);
	s->is_banner = s->not_http && !is_from_client;
	if (s->not_http)
		env_of(c)->stats.conns_not_http[s->not_http]++;
	return s->not_http;
}

/* The first bytes, a PROXY header excluded. */
static bool first_data(struct conn *c, struct session *s, enum dir dir,
		       const struct segment_view *view)
{
	if (is_not_http(c, s, dir, view->data))
		return false;
	if (c->role == ROLE_UNKNOWN || s->has_lost_start[0] || s->has_lost_start[1])
		return join(c, s, dir, view);
	if (dir == request_dir(c->role)) {
		if (is_preface(c, s, c->role, view))
			return false;
	} else if (view->data.ptr[0] == '\0') {
		/* SETTINGS, of a server that does not wait for the preface. */
		if (begin_http2(c, s, c->role, false))
			multiplex_data(s->http2, c, dir, view);
		return false;
	}
	begin_http1(c, s, c->role, view);
	return true;
}

void protocol_refuse(struct conn *c, struct session *s, enum dir dir,
		     const struct segment_view *view)
{
	env_of(c)->stats.parse_failed[PARSE_FAIL_START_LINE]++;
	if (c->role == ROLE_UNKNOWN)
		return;
	begin_http1(c, s, c->role, view);
	http1_tunnel(&s->parser[dir]);
}

/* The bytes that were held were no PROXY header; those of view follow them. */
static bool release_held(struct conn *c, struct session *s, enum dir dir,
			 const struct segment_view *view)
{
	char buf[PROXY_KEPT_MAX];
	struct segment_view held = proxy_header_give_back(c, s, view, buf);

	session_sink.bytes.data(c, dir, &held);
	if (s->http2)
		multiplex_data(s->http2, c, dir, view);
	else if (s->role == ROLE_UNKNOWN)
		return first_data(c, s, dir, view);
	return s->role != ROLE_UNKNOWN;
}

bool protocol_may_have_header(const struct conn *c, const struct session *s, enum dir dir)
{
	return !s->is_past_proxy[dir] && !s->has_lost_start[dir] &&
	       (c->role == ROLE_UNKNOWN || dir == request_dir(c->role));
}

bool protocol_data(struct conn *c, struct session *s, enum dir dir, struct segment_view *view)
{
	if (!protocol_may_have_header(c, s, dir))
		return first_data(c, s, dir, view);
	switch (proxy_header_take(c, s, dir, view)) {
	case PROXY_HEADER_NONE:
		return view->data.len && first_data(c, s, dir, view);
	case PROXY_HEADER_HELD:
		return release_held(c, s, dir, view);
	case PROXY_HEADER_BAD:
		protocol_refuse(c, s, dir, view);
		return false;
	default:
		return false;
	}
}

/* The direction's first bytes are not all there. */
static void lose_start(struct conn *c, struct session *s, enum dir dir, uint32_t len)
{
	if (!proxy_header_miss(c, s, dir, len))
		s->has_lost_start[dir] = true;
}

bool protocol_skip(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint32_t len)
{
	if (s->http2)
		multiplex_skip(s->http2, c, dir, len, view->time_ns);
	else if (s->held)
		begin_http1(c, s, c->role, view);
	else if (s->proxy)
		lose_start(c, s, dir, len);
	return s->role != ROLE_UNKNOWN;
}

bool protocol_lost(struct conn *c, struct session *s, enum dir dir, const struct segment_view *view,
		   uint32_t len)
{
	if (s->http2)
		multiplex_lost(s->http2, c, dir, len, view->time_ns);
	else if (s->held)
		begin_http1(c, s, c->role, view);
	else
		lose_start(c, s, dir, len);
	return s->role != ROLE_UNKNOWN;
}

void protocol_end(struct conn *c, struct session *s, enum conn_end how, uint64_t time_ns)
{
	if (!s->http2)
		return;
	multiplex_end(s->http2, c, how, time_ns);
	multiplex_free(s->http2, c);
	s->http2 = NULL;
}

/* "Upgrade: h2c", a line of its own among the fields. */
static bool is_to_http2(struct span fields)
{
	static const char name[] = "upgrade:";
	const char *at = fields.ptr; /* may be NULL if there are none */
	const char *end = fields.len ? at + fields.len : at;

	while (at && at < end) {
		const char *next = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((next ? next : end) - at);

		if (len > sizeof(name) - 1 && strncasecmp(at, name, sizeof(name) - 1) == 0) {
			const char *value = at + sizeof(name) - 1;

			while (value < at + len && (*value == ' ' || *value == '\t'))
				value++;
			return at + len - value >= 3 && strncasecmp(value, "h2c", 3) == 0;
		}
		at = next ? next + 1 : NULL;
	}
	return false;
}

bool protocol_upgrade(struct conn *c, struct session *s, struct exchange *e,
		      const struct message *m)
{
	if (!is_to_http2(m->fields))
		return false;
	/* The client's preface follows, the server's first frame is next. */
	if (!begin_http2(c, s, s->role, false))
		return false;
	s->role = ROLE_UNKNOWN;
	if (e)
		multiplex_upgrade(s->http2, c, e);
	return true;
}
