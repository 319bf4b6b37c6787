/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a call one of gRPC, or of plain HTTP?
 *
 * Its content type says so. Where that is hidden, in blocks that name fields of a header table from
 * before we came, the rules of gRPC do ("gRPC over HTTP2", Requests and Responses): a request is
 * POST and ends with DATA, a response ends with a head. At last its bytes tell: messages or not.
 */
#ifndef SIDELIGHT_TXN_CALL_KIND_H
#define SIDELIGHT_TXN_CALL_KIND_H

#include <stdbool.h>

#include "proto/http2_head.h"
#include "txn/call.h"

/* What the calls of one connection were. */
struct call_kinds {
	bool have_grpc;
	bool have_http;
};

/* May gRPC use that method? It may if it is txn_unknown. */
bool call_kind_is_grpc_method(const char *known_method);

/* By the content type in the head of the request, or of the response. */
void call_kind_head(struct call *call, struct call_kinds *kinds, const struct http2_head *head);
/*
 * By a head or the trailers of the response, before call->has_response is set by it: what has a
 * grpc-status is gRPC if nothing else is known, what has its content type is in any case.
 */
void call_kind_response(struct call *call, struct call_kinds *kinds, const struct http2_head *head);
/* By the request's method, which is known_method, and by how it ends; is_end: with the head. */
void call_kind_request(struct call *call, struct call_kinds *kinds, bool is_end);
/* The response ends with DATA. */
void call_kind_no_trailers(struct call *call, struct call_kinds *kinds);
/* Nothing more will be seen of it: now it is CALL_HTTP or CALL_GRPC. */
void call_kind_end(struct call *call, struct call_kinds *kinds);

#endif
