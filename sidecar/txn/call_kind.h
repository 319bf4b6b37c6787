/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classifies a call as gRPC or other HTTP.
 *
 * The content type decides. If it is unknown, because header blocks refer to table entries from
 * before the capture began, the rules of gRPC decide ("gRPC over HTTP2", Requests and Responses): a
 * request is POST and ends with DATA, a response ends with a header block. Last, the bodies decide:
 * gRPC messages or not.
 */
#ifndef SIDELIGHT_TXN_CALL_KIND_H
#define SIDELIGHT_TXN_CALL_KIND_H

#include <stdbool.h>

#include "proto/http2_head.h"
#include "txn/call.h"

/* The kinds of the calls of a connection so far. */
struct call_kinds {
	bool have_grpc;
	bool have_http;
};

/* True if gRPC can use the method; true for txn_unknown. */
bool call_kind_is_grpc_method(const char *known_method);

/* Classifies by the content type in the head of the request or response. */
void call_kind_head(struct call *call, struct call_kinds *kinds, const struct http2_head *head);
/*
 * Classifies by a head or the trailers of the response, before call->has_response is set. A content
 * type of gRPC decides in any case; grpc-status means gRPC if nothing else is known.
 */
void call_kind_response(struct call *call, struct call_kinds *kinds, const struct http2_head *head);
/*
 * Classifies by known_method and by the end of the request; is_end: the request ends with its head.
 */
void call_kind_request(struct call *call, struct call_kinds *kinds, bool is_end);
/* The response ends with DATA. */
void call_kind_no_trailers(struct call *call, struct call_kinds *kinds);
/* The call has ended: its kind becomes CALL_HTTP or CALL_GRPC. */
void call_kind_end(struct call *call, struct call_kinds *kinds);

#endif
