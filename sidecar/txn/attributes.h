/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derives the attributes of a request from its head: known method, route, kind. Since heads repeat,
 * the attributes are stored with the parser's cached head. The cache of HTTP/1 heads is shared by
 * connections, so an entry is marked with its engine and role.
 */
#ifndef SIDELIGHT_TXN_ATTRIBUTES_H
#define SIDELIGHT_TXN_ATTRIBUTES_H

#include "proto/http2_head.h"
#include "proto/message.h"
#include "txn/call.h"
#include "txn/session.h"

/*
 * Returns the attributes of an HTTP/1 request, cached with its head, else in *own. The caller
 * decides or drops the candidates among them (candidate.h).
 */
struct http1_attributes *attributes_find(struct conn *c, enum role role, const struct message *m,
					 struct http1_attributes *own);

/* The label value of an unknown gRPC method, which differs from that of an unknown HTTP method. */
extern const char attributes_unknown_rpc[];

/* Returns the attributes of an HTTP/2 request of that kind, stored in head->attributes. */
const struct http2_attributes *attributes_find_http2(struct conn *c, enum role role,
						     enum call_kind kind,
						     const struct http2_head *head);

#endif
