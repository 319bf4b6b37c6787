/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and HTTP/1.1 messages of one direction (RFC 9112).
 *
 * Push parser: takes the direction's bytes in order, in any cutting, plus the
 * news that bytes were skipped (not copied; allowed inside bodies) or lost.
 * It calls back once per head and once per end of message, never for less
 * than a whole head. It allocates only while a head is incomplete. Parsers
 * of one thread share a small memory of heads that repeat (http1_memo.h).
 *
 * Every head() is followed by exactly one end(), or by a fail() with has_head,
 * or by nothing: if a tunnel begins, or the direction ends before the message
 * does. That holds for interim responses (1xx) too: they end at once, with an
 * end() of their own before the final response's head().
 *
 * What it tolerates, as real servers do: bare LF as line end, empty lines
 * before a start line, obsolete line folding, spaces around field values,
 * field lines without meaning, repeated Content-Length that agrees, padded
 * chunk sizes. Content-Length that makes no sense, NUL bytes, and a request whose
 * Transfer-Encoding does not end in chunked (servers answer all of them with 400
 * and close) are reported as a head and then a fail().
 *
 * A head over HTTP1_HEAD_MAX is reported when the limit is reached, with
 * is_cut, and followed by fail(PARSE_FAIL_HEAD_TOO_LARGE), which is only news:
 * the message goes on. The parser keeps looking for the end of the head and for
 * the fields that frame the body, in memory no larger than the limit, and
 * also if some of it is skipped: then it ends where a piece does, with a body or
 * without, or else, body and all, where the next message begins.
 *
 * States, and what leaves them:
 *
 *   START    a message begins with the next byte      -> HEAD
 *   HEAD     part of a head is buffered               -> LENGTH, CHUNKED, CLOSE, START, TUNNEL
 *   LENGTH   body_left bytes of body follow           -> START
 *   CHUNKED  inside a chunked body, framing known     -> START, BLIND
 *   BLIND    chunked, framing lost to a skip: ends    -> START
 *            where a piece ends in the last chunk
 *   CLOSE    body until the direction ends            -> (fin)
 *   SYNC     place lost: waits for a piece that       -> HEAD
 *            begins with a start line
 *   TUNNEL   no HTTP any more (101, CONNECT)          -> never
 *
 * All but TUNNEL go to SYNC when bytes of framing are lost or make no sense.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_H
#define SIDELIGHT_PROTO_HTTP1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
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
	 * A head is complete (or over the limit). The answer says how its body is
	 * framed; 1xx, 204 and 304 need no answer: the parser knows. May call
	 * http1_tunnel(), but not http1_release(), and must not hand bytes to any parser.
	 */
	enum http1_body (*head)(void *ctx, const struct message *m);
	/*
	 * The message that head() announced is complete: its last byte was
	 * seen at time_ns and its body has body_bytes on the wire (chunked:
	 * with framing); 0 if nobody knows. Not called for tunnels.
	 */
	void (*end)(void *ctx, bool is_response, uint64_t body_bytes, uint64_t time_ns);
	/*
	 * Place lost, or nonsense where a message must be. If has_head, the
	 * message announced by the last head() will get no end(). But
	 * PARSE_FAIL_HEAD_TOO_LARGE is news of a message that goes on.
	 */
	void (*fail)(void *ctx, bool is_response, enum parse_fail why, bool has_head);
	/* Bytes behind the head that began a tunnel; NULL: nobody wants them. */
	void (*tunnel)(void *ctx, bool is_response, struct span data, uint64_t time_ns);
};

struct http1_partial;

/* Zeroed (with is_response set) it is ready, in state START. */
struct http1 {
	uint8_t state;
	bool is_response;
	bool is_resync; /* since SYNC no head was complete: a bad start line is no news */
	bool is_refused; /* LENGTH, CHUNKED: the body may not come: see http1_refuse() */
	uint8_t chunk_state; /* CHUNKED: see http1_chunk.c */
	uint8_t tail_len; /* BLIND: bytes in tail; 0 if the newest bytes were not seen */
	char tail[7]; /* BLIND: newest bytes, to find CR LF 0 CR LF CR LF across pieces */
	uint8_t memo; /* where the last head that was known was found: http1_memo_find() */
	uint64_t body_left; /* LENGTH: bytes of body; CHUNKED: bytes of this chunk */
	uint64_t body_bytes; /* seen so far of this message's body */
	uint64_t last_ns; /* when the newest byte of the direction was seen */
	struct http1_partial *partial; /* HEAD: owned */
	struct memory_account *memory; /* that it is charged to; borrowed; may be NULL */
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
/*
 * The direction has ended: completes a body that lasts until close, as of its last byte. Other
 * messages stay incomplete, without a call: see http1_is_inside().
 */
void http1_fin(struct http1 *p, uint64_t time_ns, const struct http1_sink *sink, void *ctx);

/*
 * Reports a head that is still incomplete with what is known of it (is_cut), if that is at least a
 * method or a status. For the owner who sees the server answer before the request's head has ended:
 * 408, 414, 431. The parser goes on as after a head over the limit. False if there was none.
 */
bool http1_cut_head(struct http1 *p, const struct http1_sink *sink, void *ctx);

/* From now on nothing is HTTP: the parser ignores everything (101, CONNECT). */
void http1_tunnel(struct http1 *p);

/*
 * The request at hand, which expects 100 (Continue), has its final response: its body may come or
 * not (RFC 9110 section 10.1.1). If a start line comes in its place, the request ends without it.
 */
void http1_refuse(struct http1 *p);

/*
 * The place is lost, says the owner: from now on only a piece that begins with a start line is
 * trusted. There is no call.
 */
void http1_resync(struct http1 *p);

/* A head or a body has begun and not ended. */
bool http1_is_inside(const struct http1 *p);
/* Bytes of a head have come, and head() was not called for them yet. */
bool http1_holds_head(const struct http1 *p);
/*
 * Its place was lost: a message may have passed unseen. More that is missing now is no news to the
 * parser, and gives no call.
 */
bool http1_is_lost(const struct http1 *p);
/* In a message whose end is found by its looks: further ones may have been skipped with it. */
bool http1_is_blind(const struct http1 *p);
/* What is still to come of a body, UINT64_MAX if its framing has yet to tell; 0 outside of one. */
uint64_t http1_body_left(const struct http1 *p);

/*
 * Does s begin like an HTTP/1 start line? Used to tell requests from responses
 * on connections whose opening was not seen. True also when s is too short to
 * say no.
 */
bool http1_is_request(struct span s);
bool http1_is_response(struct span s);

#endif
