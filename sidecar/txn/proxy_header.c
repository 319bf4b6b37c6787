/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/proxy_header.h"

#include <string.h>

#include "proto/proxy.h"

static void set_peer(struct conn *c, enum dir dir, const struct proxy *p)
{
	struct endpoint source;

	/* The peer of an observed client is the server, whatever source the header names. */
	if (dir == DIR_INGRESS && proxy_source(p, &source))
		c->remote = source;
}

/* Buffers a header that is incomplete. Returns false if there is no memory. */
static bool hold(struct conn *c, struct session *s, const struct proxy *p, uint64_t time_ns)
{
	if (s->proxy)
		return true;
	s->proxy = memory_alloc(&c->memory, sizeof(*s->proxy));
	if (!s->proxy)
		return false;
	*s->proxy = *p;
	s->buffered_ns = time_ns;
	return true;
}

enum proxy_header proxy_header_take(struct conn *c, struct session *s, enum dir dir,
				    struct segment_view *view, uint64_t time_ns)
{
	bool is_held = s->proxy;
	struct proxy first = {0};
	struct proxy *p = is_held ? s->proxy : &first;
	enum proxy_result result;
	size_t used;

	if (s->is_past_proxy[dir])
		return PROXY_HEADER_NONE;
	result = proxy_push(p, view->data, &used);
	/* Nothing is buffered before the role of a connection is known. */
	if (result == PROXY_MORE && c->role != ROLE_UNKNOWN && hold(c, s, p, time_ns))
		return PROXY_HEADER_INSIDE;
	s->is_past_proxy[dir] = true;
	switch (result) {
	case PROXY_DONE:
		set_peer(c, dir, p);
		proxy_header_release(c, s);
		*view = segment_view_with(view, span_from(view->data, used));
		return PROXY_HEADER_NONE;
	case PROXY_BAD:
		proxy_header_release(c, s);
		return PROXY_HEADER_BAD;
	default:
		return is_held ? PROXY_HEADER_BUFFERED : PROXY_HEADER_NONE;
	}
}

bool proxy_header_skip(struct conn *c, struct session *s, enum dir dir, uint32_t len)
{
	bool is_inside = s->proxy && !s->is_past_proxy[dir] && proxy_skip(s->proxy, len);

	if (is_inside && s->proxy->left)
		return true;
	if (is_inside)
		set_peer(c, dir, s->proxy);
	s->is_past_proxy[dir] = true;
	if (s->proxy)
		proxy_header_release(c, s);
	return is_inside;
}

struct segment_view proxy_header_take_buffered(struct conn *c, struct session *s,
					       const struct segment_view *view,
					       char buf[PROXY_BUFFER_MAX])
{
	size_t n = s->proxy->buffered;

	memcpy(buf, s->proxy->bytes, n);
	proxy_header_release(c, s);
	return segment_view_with(view, (struct span){buf, n});
}

void proxy_header_release(struct conn *c, struct session *s)
{
	memory_free(&c->memory, s->proxy);
	s->proxy = NULL;
}
