/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unreadable requests: bytes of the client that are no request where one must begin. They count as
 * a request if the server responds to them in HTTP/1, mostly with 400 (RFC 9112 section 3); lenient
 * servers serve requests that the RFC forbids. The method of such a request is METHOD_OTHER, its
 * route unknown.
 */
#ifndef SIDELIGHT_TXN_UNREADABLE_H
#define SIDELIGHT_TXN_UNREADABLE_H

#include "txn/session.h"

/* Such bytes have come, after all open requests. */
void unreadable_begin(struct session *s);

/*
 * A final response has come and no request is open. Returns true if it is the response to such
 * bytes, which are the oldest open request now.
 */
bool unreadable_response(struct conn *c, struct session *s);

#endif
