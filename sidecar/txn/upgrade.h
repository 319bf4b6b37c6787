/* SPDX-License-Identifier: Apache-2.0 */
/* From HTTP/1 to HTTP/2 on the same connection: `Upgrade: h2c` (RFC 7540 section 3.2). */
#ifndef SIDELIGHT_TXN_UPGRADE_H
#define SIDELIGHT_TXN_UPGRADE_H

#include <stdbool.h>

#include "txn/session.h"

/*
 * 101 in answer to e (NULL: not seen), of which m is the head. False: not to HTTP/2, or no memory.
 * Else the session speaks HTTP/2 from now on, and e is empty.
 */
bool upgrade_to_http2(struct conn *c, struct session *s, struct exchange *e,
		      const struct message *m);

#endif
