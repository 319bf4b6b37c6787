/* SPDX-License-Identifier: Apache-2.0 */
/* The header fields of an HTTP/1 connection, for its open requests. */
#ifndef SIDELIGHT_TXN_HTTP1_HEADERS_H
#define SIDELIGHT_TXN_HTTP1_HEADERS_H

#include "txn/session.h"

/* The head of the request of e, or of its final response. Called while fields are wanted. */
void http1_headers_head(struct conn *c, struct exchange *e, const struct message *m);

/* See struct http1_sink. */
void http1_headers_trailers(void *ctx, bool is_response, struct span bytes);

#endif
