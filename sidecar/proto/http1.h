/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push parser for one direction of an HTTP/1.0 or HTTP/1.1 connection (RFC 9112).
 *
 * Input: the bytes of the direction in sequence order, cut into segments at any byte, and reports
 * of bytes that were skipped (they passed, but were not copied; normally body bytes) or lost.
 * Output: one call of the sink per head and one per end of a message, never for a part of a head.
 * The parser allocates memory only while a head is incomplete. The parsers of one thread share a
 * small cache of heads (http1_head_cache.h).
 *
 * Each head() is followed by exactly one end(), or by a fail() with has_head, or by nothing: when a
 * tunnel begins, or when the direction ends before the message does. This includes interim
 * responses (1xx): they have no body, so their end() comes before the head() of the final response.
 *
 * The parser accepts, as real servers do: bare LF as line end, empty lines before a start line,
 * obsolete line folding, white space around field values, malformed field lines, a repeated
 * Content-Length with equal values, padded chunk sizes. An invalid Content-Length, NUL bytes, and a
 * request whose Transfer-Encoding does not end in chunked are reported as a head and then a fail(),
 * since servers answer them with 400 and close.
 *
 * A head over HTTP1_HEAD_MAX is reported with is_truncated as soon as it reaches the limit,
 * followed by fail(PARSE_FAIL_HEAD_TOO_LARGE), which does not end the message. The parser then
 * looks for the end of the head and for the fields that frame the body, in memory no larger than
 * the limit, even if parts of the head are skipped. In that case the head ends where a segment ends
 * after an empty line, with or without a body, or at the latest where the next message begins.
 *
 * States (enum http1_state) and transitions:
 *
 *   START     a message begins with the next byte      -> as HEAD, or HEAD if the head is
 *                                                         incomplete
 *   HEAD      part of a head is buffered               -> LENGTH, CHUNKED, CLOSE, START, TUNNEL
 *   LENGTH    body_left bytes of body follow           -> START
 *   CHUNKED   inside a chunked body, framing known     -> START, UNFRAMED
 *   UNFRAMED  chunked body, framing lost to a skip:    -> START
 *             ends where a segment ends in the last
 *             chunk
 *   CLOSE     the body lasts until the direction ends  -> (fin)
 *   SYNC      out of sync: waits for a segment that    -> HEAD
 *             begins with a start line
 *   TUNNEL    no HTTP any more (101, CONNECT)          -> never
 *
 * All states but TUNNEL go to SYNC when bytes of the framing are lost or malformed. Exception: in
 * UNFRAMED, a segment that begins with a start line leads to START.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_H
#define SIDELIGHT_PROTO_HTTP1_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/span.h"
#include "proto/message.h"

#define HTTP1_HEAD_MAX (16u << 10)

/* The owner's knowledge about a body that the head does not contain (RFC 9112 section 6.3). */
enum http1_body {
	HTTP1_BODY_FRAMED, /* framed by Content-Length, Transfer-Encoding or close */
	HTTP1_BODY_OPTIONAL, /* as FRAMED, or no body if a start line comes in its place */
	HTTP1_BODY_NONE, /* response to HEAD */
	HTTP1_BODY_TUNNEL, /* 2xx to CONNECT; 101 that the owner accepts */
};

enum http1_state {
	HTTP1_START,
	HTTP1_HEAD,
	HTTP1_LENGTH,
	HTTP1_CHUNKED,
	HTTP1_UNFRAMED,
	HTTP1_CLOSE,
	HTTP1_SYNC,
	HTTP1_TUNNEL,
};

struct http1_sink {
	/*
	 * A head is complete or has reached the limit. The return value says how its body is
	 * framed; for 1xx, 204 and 304 it is ignored, since they never have a body. The callback
	 * may call http1_tunnel(), but not http1_release(), and must not pass bytes to any parser.
	 */
	enum http1_body (*head)(void *ctx, const struct message *m);
	/*
	 * The message of the last head() is complete. time_ns is the time of its last byte.
	 * body_bytes is the length of its body on the wire, chunked framing included; 0 if it is
	 * not known. Not called for tunnels.
	 */
	void (*end)(void *ctx, bool is_response, uint64_t body_bytes, uint64_t time_ns);
	/*
	 * The parser is out of sync, or found malformed bytes where a message must begin. If
	 * has_head, the message of the last head() gets no end(). Exception: after
	 * PARSE_FAIL_HEAD_TOO_LARGE the message goes on.
	 */
	void (*fail)(void *ctx, bool is_response, enum parse_fail why, bool has_head);
	/*
	 * Bytes of the trailer section of the current message, which follows a chunked body, cut
	 * anywhere. Empty bytes: bytes of the body were skipped, and if there is a section, it is
	 * not reported. NULL: not needed.
	 */
	void (*trailers)(void *ctx, bool is_response, struct span bytes);
	/* Bytes that follow the head which began a tunnel. NULL: the owner does not need them. */
	void (*tunnel)(void *ctx, bool is_response, struct span data, uint64_t time_ns);
};

struct http1_partial;

/* All zeros (but for is_response), it is ready, in state START. */
struct http1 {
	uint8_t state; /* enum http1_state */
	bool is_response;
	bool is_resync; /* no head was complete since SYNC: a bad start line is not reported */
	bool is_body_optional; /* see http1_body_optional(), HTTP1_BODY_OPTIONAL */
	uint8_t chunk_state; /* CHUNKED: enum in http1_chunk.c */
	uint8_t tail_len; /* UNFRAMED: bytes in tail; 0 if the newest bytes were skipped */
	char tail[7]; /* UNFRAMED: newest bytes, to find CR LF 0 CR LF CR LF across segments */
	uint8_t held; /* bytes that may be body or the next message: see http1_optional.h */
	uint8_t cache_slot; /* slot of the last cached head: see http1_head_cache_find() */
	uint64_t body_left; /* LENGTH: bytes of body; CHUNKED: bytes of this chunk */
	uint64_t body_bytes; /* bytes of this message's body so far */
	uint64_t last_ns; /* time of the newest byte of the direction */
	struct http1_partial *partial; /* HEAD: owned */
	struct memory_account *memory; /* charged for partial; borrowed; may be NULL */
};

void http1_init(struct http1 *p, bool is_response);
void http1_release(struct http1 *p);

/* The next bytes of the direction; time_ns is when they were seen. */
void http1_data(struct http1 *p, struct span data, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx);
/* The next len bytes passed, but were not copied. */
void http1_skip(struct http1 *p, uint64_t len, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx);
/* The next len bytes are missing for good. Inside a body of known length they are only counted. */
void http1_lost(struct http1 *p, uint64_t len, uint64_t time_ns, const struct http1_sink *sink,
		void *ctx);
/*
 * The direction has ended. A body that lasts until close is complete, as of its last byte. A
 * message whose framing is lost ends if its last bytes look like an end, and fails if they were
 * skipped. Other messages stay incomplete without a call of the sink: see http1_is_inside().
 */
void http1_fin(struct http1 *p, uint64_t time_ns, const struct http1_sink *sink, void *ctx);

/*
 * Reports an incomplete head as truncated, if it has at least a method or a status; returns false
 * if not. Called when the server responds before the head of the request has ended (408, 414, 431).
 * The parser goes on as after a head over the limit.
 */
bool http1_truncate_head(struct http1 *p, const struct http1_sink *sink, void *ctx);

/* A tunnel begins (101, CONNECT): the parser passes all further bytes to sink->tunnel. */
void http1_tunnel(struct http1 *p);

/*
 * The current request expects 100 (Continue) and has its final response, so its body may never come
 * (RFC 9110 section 10.1.1). If a start line comes in its place, the request ends without a body.
 */
void http1_body_optional(struct http1 *p);

/*
 * The owner has lost the framing: the parser waits for a segment that begins with a start line.
 * Does not call the sink.
 */
void http1_resync(struct http1 *p);

/* True inside a head or a body. */
static inline bool http1_is_inside(const struct http1 *p)
{
	return p->state >= HTTP1_HEAD && p->state <= HTTP1_CLOSE;
}
/* True in a tunnel: no message follows. */
static inline bool http1_is_tunnel(const struct http1 *p)
{
	return p->state == HTTP1_TUNNEL;
}
/* True while the parser buffers a head that it has not reported. */
bool http1_holds_head(const struct http1 *p);
/* True in state SYNC: messages may pass unnoticed. Further missing bytes are not reported. */
static inline bool http1_is_out_of_sync(const struct http1 *p)
{
	return p->state == HTTP1_SYNC;
}
/*
 * True while the framing of the current message is lost. What was skipped may include its end and
 * further messages.
 */
bool http1_is_unframed(const struct http1 *p);
/*
 * The bytes that are missing from the current body, UINT64_MAX if its framing does not say yet; 0
 * outside of a body.
 */
static inline uint64_t http1_body_left(const struct http1 *p)
{
	if (p->state == HTTP1_CHUNKED || p->state == HTTP1_UNFRAMED)
		return UINT64_MAX;
	if (p->state != HTTP1_LENGTH)
		return 0;
	return p->held < p->body_left ? p->body_left - p->held : 0;
}
/* The bytes of the current body, or of the current chunk of it, that follow at least. */
uint64_t http1_data_left(const struct http1 *p);

#endif
