/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that cannot be read: bytes of the client that begin no request, where one must begin.
 * Whether it was one, the server says: it is, if it gets an error as its answer (RFC 9112
 * section 3: 400). Its method is METHOD_OTHER then, and its route unknown.
 */
#ifndef SIDELIGHT_TXN_UNREADABLE_H
#define SIDELIGHT_TXN_UNREADABLE_H

#include "txn/session.h"

/* Such bytes have come, behind all open requests. */
void unreadable_begin(struct session *s);

/*
 * The final response m has come and no request is open. True: m is the answer to such bytes, which
 * are the oldest open request now.
 */
bool unreadable_answer(struct conn *c, struct session *s, const struct message *m);

#endif
