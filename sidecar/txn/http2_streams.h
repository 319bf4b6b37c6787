/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one HTTP/2 connection, as header lists, bodies and resets tell of them: nothing
 * here reads frames. What tells of them is a parser (http2_session.h), or any other source that
 * knows their header lists and when they came.
 *
 * A call begins with the header list of its request and ends with END_STREAM of its response, a
 * reset, or the connection. Where frames were lost, what has ended provably is reported still; a
 * call of which that cannot be said when the connection ends is counted as lost.
 *
 * Joined mid-stream, or after a lost header block, fields may be unknown. Whether a call is gRPC is
 * then taken from the first of these that tells: content-type of request or response; grpc-status;
 * a body that consists of messages of gRPC to the last byte; what all other calls of the connection
 * were.
 */
#ifndef SIDELIGHT_TXN_HTTP2_STREAMS_H
#define SIDELIGHT_TXN_HTTP2_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/conn.h"
#include "proto/http2.h"
#include "txn/call.h"
#include "txn/call_kind.h"
#include "txn/exchange.h"

/* Zeroed with calls.memory and role set, it is empty. */
struct http2_streams {
	struct calls calls;
	enum role role; /* the owner's: it may be set anew until the first request */
	bool has_missed; /* frames; responses without request are no wonder */
	struct call_kinds kinds;
	uint32_t first_stream; /* whose request was seen */
	uint32_t newest_stream; /* likewise; 0: none */
	uint32_t tid; /* of the newest egress data; the owner's */
};

/*
 * A header list of a request, or its trailers; is_end: the request ends with it. may_have_ended:
 * the response's frames are not seen, or not all of them, right now.
 */
void http2_streams_request(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			   uint32_t stream, const struct http2_head *head, bool is_end,
			   bool may_have_ended);
/* Likewise of a response. */
void http2_streams_response(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			    uint32_t stream, const struct http2_head *head, bool is_end);
/* Bytes of a body; ptr NULL: len bytes that were not copied. */
void http2_streams_body(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			uint32_t stream, struct span body, bool is_end);
/* The response has ended with bytes that were lost. */
void http2_streams_lost_end(struct http2_streams *s, struct conn *c, uint32_t stream);
/* code UINT32_MAX: it is not known. */
void http2_streams_reset(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			 uint32_t stream, uint32_t code);
/* Of any stream something may be missing from here on. */
void http2_streams_miss(struct http2_streams *s);

/* Upgrade: h2c. The request becomes stream 1 (RFC 7540 section 3.2), and is e's no longer. */
void http2_streams_upgrade(struct http2_streams *s, struct conn *c, struct exchange *e);

/* The connection has ended; is_lost: the place in its frames was lost. Frees what it took. */
void http2_streams_end(struct http2_streams *s, struct conn *c, enum conn_end how, bool is_lost,
		       uint64_t time_ns);

#endif
