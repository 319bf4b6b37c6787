/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and HTTP/1.1 messages of one direction (RFC 9112).
 *
 * Push parser: takes the direction's bytes in order, in any cutting, plus the
 * news that bytes were skipped (not copied; allowed inside bodies) or lost.
 * It calls back once per head and once per end of message, never for less
 * than a whole head. It allocates only while a head is incomplete or while the
 * end of a blindly followed chunked body is awaited.
 *
 * What it tolerates, as real servers do: bare LF as line end, empty lines
 * before a request line, obsolete line folding, spaces around field values.
 *
 * States, and what leaves them:
 *
 *   START    a message begins with the next byte      -> HEAD
 *   HEAD     part of a head is buffered               -> BODY_*, START, TUNNEL
 *   LENGTH   body_left bytes of body follow           -> START
 *   CHUNKED  inside a chunked body, framing known     -> START
 *   BLIND    chunked, framing lost to a skip: ends    -> START
 *            where a piece ends in the last chunk
 *   CLOSE    body until the direction ends            -> (fin)
 *   SYNC     place lost: waits for a piece that       -> HEAD
 *            begins with a start line
 *   TUNNEL   no HTTP any more (101, CONNECT)          -> never
 */
#ifndef SIDELIGHT_PROTO_HTTP1_H
#define SIDELIGHT_PROTO_HTTP1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/message.h"

#define HTTP1_HEAD_MAX (16u << 10)

/* What the owner knows of a body and the head does not say (RFC 9112 section 6.3). */
enum http1_body {
	HTTP1_BODY_FRAMED, /* as Content-Length, Transfer-Encoding or close say */
	HTTP1_BODY_NONE, /* response to HEAD */
	HTTP1_BODY_TUNNEL, /* 2xx to CONNECT, 101 that the owner believes */
};

struct http1_sink {
	/*
	 * A head is complete. For a response, the answer says how its body is
	 * framed; 1xx, 204 and 304 need no answer: the parser knows.
	 */
	enum http1_body (*head)(void *ctx, const struct message *m);
	/*
	 * The message that head() announced is complete: its last byte was
	 * seen at time_ns and its body has body_bytes on the wire (chunked:
	 * with framing). Not called for tunnels.
	 */
	void (*end)(void *ctx, bool is_response, uint64_t body_bytes, uint64_t time_ns);
	/*
	 * Place lost, or nonsense where a message must be. If has_head, the
	 * message announced by the last head() will get no end().
	 */
	void (*fail)(void *ctx, bool is_response, enum parse_fail why, bool has_head);
};

struct http1_partial;

/* Zeroed (with is_response set) it is ready, in state START. */
struct http1 {
	uint8_t state;
	bool is_response;
	bool has_fields_end; /* HEAD over the limit was reported; its end is awaited */
	uint8_t chunk_state;
	uint8_t tail_len; /* BLIND: bytes in tail */
	char tail[7]; /* BLIND: newest bytes, to find CR LF 0 CR LF CR LF */
	uint64_t body_left; /* LENGTH: bytes of body; CHUNKED: bytes of this chunk */
	uint64_t body_bytes; /* seen so far of this message's body */
	uint64_t last_ns; /* when the newest byte of the message was seen */
	struct http1_partial *partial; /* HEAD: owned */
};

void http1_init(struct http1 *p, bool is_response);
void http1_release(struct http1 *p);

/* The next bytes of the direction, seen at time_ns. */
void http1_data(struct http1 *p, struct span data, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx);
/* The next len bytes passed, but were not copied. */
void http1_skip(struct http1 *p, uint64_t len, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx);
/* The next len bytes are missing for good. Inside a body of known length they are only counted. */
void http1_lost(struct http1 *p, uint64_t len, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx);
/* The direction has ended: completes a body that lasts until close. */
void http1_fin(struct http1 *p, uint64_t time_ns, const struct http1_sink *sink, void *ctx);

/* From now on nothing is HTTP: the parser ignores everything (101, CONNECT). */
void http1_tunnel(struct http1 *p);

/* A head or a body has begun and not ended. */
bool http1_is_inside(const struct http1 *p);

/*
 * Does s begin like an HTTP/1 start line? Used to tell requests from responses
 * on connections whose opening was not seen. True also when s is too short to
 * say no.
 */
bool http1_is_request(struct span s);
bool http1_is_response(struct span s);

#endif
