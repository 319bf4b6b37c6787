/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether a body follows that the peer may have left out (HTTP1_BODY_OPTIONAL): the next
 * message comes in its place, or it does not. Bytes that may be either are held.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_OPTIONAL_H
#define SIDELIGHT_PROTO_HTTP1_OPTIONAL_H

#include "proto/http1.h"

enum http1_optional {
	HTTP1_OPTIONAL_BODY, /* the held bytes and these are body */
	HTTP1_OPTIONAL_MESSAGE, /* the held bytes and these start the next message */
	HTTP1_OPTIONAL_HELD, /* all of them are held */
};

/* Is the first byte of such a body still to be decided? */
static inline bool http1_is_optional(const struct http1 *p)
{
	return p->is_body_optional && p->body_bytes == 0 &&
	       (p->state == HTTP1_LENGTH || p->state == HTTP1_CHUNKED || p->state == HTTP1_CLOSE);
}

/* data: the next bytes, at least one. */
enum http1_optional http1_optional_add(struct http1 *p, struct span data);

/*
 * The bytes that were held; none are any more, and if a body follows, it is not optional any more.
 * The result is static.
 */
struct span http1_optional_take(struct http1 *p);

#endif
