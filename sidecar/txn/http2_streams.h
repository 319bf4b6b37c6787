/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one HTTP/2 connection. Input: header lists, bodies and resets, with their times,
 * from a frame parser (http2_session.h) or another source.
 *
 * A call begins with the header list of its request and ends with END_STREAM of its response, a
 * reset, or the connection. When frames were lost, calls that certainly have ended are still
 * reported; calls that may have ended before the connection does are counted as lost.
 *
 * On a connection older than the capture, or after a lost header block, fields may be unknown.
 * call_kind.h says how a call is then recognised as gRPC.
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

/* All zeros but for calls.memory and role, it is empty. */
struct http2_streams {
	struct calls calls;
	enum role role; /* set by the owner; may change until the first request */
	bool has_missed; /* frames were missed, so a response may lack its request */
	struct call_kinds kinds;
	uint32_t first_stream; /* first stream whose request was seen */
	uint32_t newest_stream; /* newest stream whose request was seen; 0: none */
	/* Thread and process of the newest egress data; set by the owner. */
	uint32_t tid;
	uint32_t tgid;
};

/*
 * A header list of a request, or its trailers. is_end: the request ends with it. may_have_ended:
 * frames of the response are missing at this time.
 */
void http2_streams_request(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			   uint32_t stream, const struct http2_head *head, bool is_end,
			   bool may_have_ended);
/* A header list of a response, or its trailers. */
void http2_streams_response(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			    uint32_t stream, const struct http2_head *head, bool is_end);
/* Bytes of a body; ptr NULL: len bytes that were not copied. */
void http2_streams_body(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			uint32_t stream, struct span body, bool is_end);
/* The response has ended with bytes that were lost. */
void http2_streams_lost_end(struct http2_streams *s, struct conn *c, uint32_t stream);
/* code UINT32_MAX: not known. */
void http2_streams_reset(struct http2_streams *s, struct conn *c, const struct http2_arrival *at,
			 uint32_t stream, uint32_t code);
/* Frames of any stream may be missing from here on. */
void http2_streams_miss(struct http2_streams *s);
/* The program has read something. */
void http2_streams_read(struct http2_streams *s, const struct last_read *read);

/*
 * Upgrade: h2c. The request becomes stream 1 (RFC 7540 section 3.2); ownership of its members moves
 * from e.
 */
void http2_streams_upgrade(struct http2_streams *s, struct conn *c, struct exchange *e);

/* The connection has ended. is_lost: a parser is out of sync. Frees all calls. */
void http2_streams_end(struct http2_streams *s, struct conn *c, enum conn_end how, bool is_lost,
		       uint64_t time_ns);

#endif
