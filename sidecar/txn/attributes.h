/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the head of a request alone says: method, route, kind. Heads repeat, so it is kept with
 * the parser's memory of them; that of HTTP/1, which connections share, is marked by whose engine
 * and role it is.
 */
#ifndef SIDELIGHT_TXN_ATTRIBUTES_H
#define SIDELIGHT_TXN_ATTRIBUTES_H

#include "proto/http2_head.h"
#include "proto/message.h"
#include "txn/call.h"
#include "txn/session.h"

/* Looked up, or made: in *own, if the parser does not remember the head. Candidates are the
 * caller's to settle or drop. */
struct http1_attributes *attributes_find(struct conn *c, enum role role, const struct message *m,
					 struct http1_attributes *own);

/* A method of gRPC that is not known is not the method of HTTP that is not. */
extern const char attributes_unknown_rpc[];

/* Likewise head->attributes, of a request of that kind. */
const struct http2_attributes *attributes_find_http2(struct conn *c, enum role role,
						     enum call_kind kind,
						     const struct http2_head *head);

#endif
