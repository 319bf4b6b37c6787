/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an HTTP/1 message and its end, for http1.h: what follows a head, and who is told of
 * it (RFC 9112 section 6).
 */
#ifndef SIDELIGHT_PROTO_HTTP1_BODY_H
#define SIDELIGHT_PROTO_HTTP1_BODY_H

#include "proto/http1.h"
#include "proto/http1_head.h"

/* The sink and its context. */
struct http1_out {
	const struct http1_sink *sink;
	void *ctx;
};

/* The current message is complete. */
static inline void http1_end(struct http1 *p, struct http1_out out)
{
	uint64_t body_bytes = p->body_bytes;

	p->state = HTTP1_START;
	p->body_bytes = 0;
	out.sink->end(out.ctx, p->is_response, body_bytes, p->last_ns);
}

/* The parser is out of sync. has_head: the head of the current message was reported. */
void http1_fail(struct http1 *p, struct http1_out out, enum parse_fail why, bool has_head);

/* The kind of the body, from the owner's knowledge and the status. */
enum http1_body http1_body_kind(const struct http1 *p, const struct message *m,
				enum http1_body body);

/*
 * A reported head has ended: the framing of its body decides the next state (RFC 9112 section 6.3).
 */
void http1_body_begin(struct http1 *p, struct http1_out out, const struct http1_framing *f,
		      enum http1_body body);

/* LENGTH: n more bytes passed. Returns how many of them are body. */
uint64_t http1_body_pass(struct http1 *p, uint64_t n, struct http1_out out);

/* Reports that the trailer section may have been missed, since bytes of the body were skipped. */
void http1_body_miss_trailers(const struct http1 *p, struct http1_out out);

/* CHUNKED, UNFRAMED: the next bytes. Returns how many were used. */
size_t http1_body_chunked(struct http1 *p, struct span data, struct http1_out out);

#endif
