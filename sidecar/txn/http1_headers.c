/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/http1_headers.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

__attribute__((cold)) void http1_headers_head(struct conn *c, struct exchange *e,
					      const struct message *m)
{
	headers_add_lines(&e->headers, &c->memory,
			  m->is_response ? HEADERS_RESPONSE : HEADERS_REQUEST, m->fields,
			  &env_of(c)->headers.wishes);
	if (m->is_truncated)
		headers_cut(&e->headers, &c->memory);
}

/* The request whose message has the trailers; NULL: it is not known. */
static struct exchange *exchange_of(struct session *s, bool is_response)
{
	struct exchange *e;

	if (!s->open.count || (is_response ? s->is_unpaired || s->is_interim : s->is_unopened))
		return NULL;
	e = is_response ? exchanges_oldest(&s->open) : exchanges_at(&s->open, s->open.count - 1u);
	return is_response && !e->status ? NULL : e;
}

void http1_headers_trailers(void *ctx, bool is_response, struct span bytes)
{
	struct conn *c = ctx;
	struct exchange *e = exchange_of((struct session *)c->user, is_response);

	if (!e || !header_capture_is_on(&env_of(c)->headers))
		return;
	if (!bytes.len) {
		headers_cut(&e->headers, &c->memory);
		return;
	}
	/* The empty line that ends a section without fields is no trailer. */
	if ((bytes.ptr[0] == '\r' || bytes.ptr[0] == '\n') &&
	    (!e->headers || !headers_are_inside_line(e->headers)))
		return;
	headers_add_trailers(&e->headers, &c->memory,
			     is_response ? HEADERS_RESPONSE_TRAILERS : HEADERS_REQUEST_TRAILERS,
			     bytes, &env_of(c)->headers.wishes);
}
