/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which label values of an exchange have not earned their place yet (label_values.h), as bits. Who
 * ends the exchange settles them, if it is reported, or drops them.
 */
#ifndef SIDELIGHT_TXN_CANDIDATE_H
#define SIDELIGHT_TXN_CANDIDATE_H

#include "txn/session.h"

enum { CANDIDATE_ROUTE = 1, CANDIDATE_METHOD = 2, CANDIDATE_ADDRESS = 4 };

/* Whom a client asks; the bit of e is set if it is a candidate. */
const char *candidates_find_address(struct conn *c, struct exchange *e, struct span host);

/* No bits are set afterwards. A host that answers at all is there, whatever it answers. */
void candidates_settle_exchange(struct conn *c, enum role role, struct exchange *e);
void candidates_drop_exchange(struct conn *c, struct exchange *e);

/* Likewise; the kind of the call is known, grpc_status is its final one. */
void candidates_settle_call(struct conn *c, enum role role, struct call *call,
			    uint16_t grpc_status);
void candidates_drop_call(struct conn *c, struct call *call);
/* A call whose method is a candidate goes on, and has been answered with a message. */
void candidates_settle_method(struct conn *c, enum role role, struct call *call);

#endif
