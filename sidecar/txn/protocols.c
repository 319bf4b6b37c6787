/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/protocols.h"

#include <errno.h>
#include <string.h>

/* session.first_bytes: the buffered bytes of one direction. */
struct first_bytes {
	uint64_t time_ns; /* time of the first of them */
	enum dir dir;
	size_t len;
	char bytes[PROTOCOL_DETECT_MAX];
};

int protocols_add(struct protocols *p, const struct protocol_ops *ops)
{
	if (p->count == PROTOCOLS_MAX)
		return -ENOSPC;
	p->ops[p->count++] = ops;
	return 0;
}

/* Offers the bytes to all protocols. Sets session.protocol to the first one that accepts them. */
static enum detection ask(struct conn *c, struct session *s, enum dir dir, struct span first)
{
	const struct protocols *p = &((const struct session_env *)c->owner)->protocols;
	bool wants_more = false;

	for (size_t i = 0; i < p->count; i++) {
		switch (p->ops[i]->detect(c, dir, first)) {
		case DETECTION_YES:
			s->protocol = p->ops[i];
			return DETECTION_YES;
		case DETECTION_MORE:
			wants_more = true;
			break;
		case DETECTION_NO:
			break;
		}
	}
	return wants_more && first.len < PROTOCOL_DETECT_MAX ? DETECTION_MORE : DETECTION_NO;
}

static bool is_offered(const struct conn *c, const struct session *s, enum dir dir)
{
	return c->role != ROLE_UNKNOWN && !s->is_past_protocols[dir] && !s->has_lost_start[0] &&
	       !s->has_lost_start[1] && (!s->first_bytes || s->first_bytes->dir == dir);
}

/* Buffers the bytes. Without memory they go to HTTP. */
static enum detection buffer(struct conn *c, struct session *s, enum dir dir, struct span first,
			     uint64_t time_ns)
{
	struct first_bytes *buffered = s->first_bytes;

	if (!buffered) {
		buffered = memory_calloc(&c->memory, 1, sizeof(*buffered));
		if (!buffered)
			return DETECTION_NO;
		buffered->time_ns = time_ns;
		buffered->dir = dir;
		s->first_bytes = buffered;
	}
	memcpy(buffered->bytes, first.ptr, first.len);
	buffered->len = first.len;
	return DETECTION_MORE;
}

enum detection protocols_detect(struct conn *c, struct session *s, enum dir dir,
				const struct segment_view *view, uint64_t time_ns)
{
	size_t buffered = s->first_bytes ? s->first_bytes->len : 0;
	char bytes[PROTOCOL_DETECT_MAX];
	struct span first = {bytes, buffered};
	enum detection detected;
	size_t more;

	if (!is_offered(c, s, dir))
		return DETECTION_NO;
	more = PROTOCOL_DETECT_MAX - buffered;
	if (more > view->data.len)
		more = view->data.len;
	if (buffered)
		memcpy(bytes, s->first_bytes->bytes, buffered);
	memcpy(&bytes[buffered], view->data.ptr, more);
	first.len += more;
	detected = ask(c, s, dir, first);
	if (detected == DETECTION_MORE)
		detected = buffer(c, s, dir, first, time_ns);
	s->is_past_protocols[dir] = detected != DETECTION_MORE;
	return detected;
}

struct segment_view protocols_take_buffered(struct conn *c, struct session *s,
					    const struct segment_view *view,
					    char buf[PROTOCOL_DETECT_MAX], uint64_t *ret_ns)
{
	const struct first_bytes *buffered = s->first_bytes;
	struct segment_view first = view->dir == buffered->dir ? *view : segment_view_reverse(view);

	first = segment_view_with(&first, (struct span){buf, buffered->len});
	memcpy(buf, buffered->bytes, buffered->len);
	*ret_ns = buffered->time_ns;
	s->is_past_protocols[buffered->dir] = true;
	protocols_release(c, s);
	return first;
}

void protocols_release(struct conn *c, struct session *s)
{
	memory_free(&c->memory, s->first_bytes);
	s->first_bytes = NULL;
}
