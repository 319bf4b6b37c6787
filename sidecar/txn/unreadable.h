/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that cannot be read: bytes of the client that begin no request, where one must begin.
 * Whether it was one, the server says: it is, if the server answers it with a response of HTTP/1,
 * mostly 400 (RFC 9112 section 3); lenient servers serve what the RFC does not allow. Its method is
 * METHOD_OTHER then, and its route unknown.
 */
#ifndef SIDELIGHT_TXN_UNREADABLE_H
#define SIDELIGHT_TXN_UNREADABLE_H

#include "txn/session.h"

/* Such bytes have come, behind all open requests. */
void unreadable_begin(struct session *s);

/*
 * A final response has come and no request is open. True: it is the answer to such bytes, which
 * are the oldest open request now.
 */
bool unreadable_answer(struct conn *c, struct session *s);

#endif
