/* SPDX-License-Identifier: Apache-2.0 */
/* Changes a connection from HTTP/1 to HTTP/2: `Upgrade: h2c` (RFC 7540 section 3.2). */
#ifndef SIDELIGHT_TXN_UPGRADE_H
#define SIDELIGHT_TXN_UPGRADE_H

#include <stdbool.h>

#include "txn/session.h"

/*
 * m is a 101 response to e (NULL: e was not seen). Returns false if it is not to HTTP/2, or there
 * is no memory. Else the session speaks HTTP/2 from now on, and e is empty.
 */
bool upgrade_to_http2(struct conn *c, struct session *s, struct exchange *e,
		      const struct message *m);

#endif
