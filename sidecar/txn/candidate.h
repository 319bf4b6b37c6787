/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The label values of an exchange that are not admitted yet (label_values.h), as bits. At the end
 * of the exchange they are decided, if it is reported, or dropped.
 */
#ifndef SIDELIGHT_TXN_CANDIDATE_H
#define SIDELIGHT_TXN_CANDIDATE_H

#include "txn/session.h"

enum { CANDIDATE_ROUTE = 1, CANDIDATE_METHOD = 2, CANDIDATE_ADDRESS = 4 };

/* Returns the server address of a client's request, and sets its bit in e if it is a candidate. */
const char *candidates_find_address(struct conn *c, struct exchange *e, struct span host);

/* Clear the bits. A host that responds at all exists, whatever its status. */
void candidates_decide_exchange(struct conn *c, enum role role, struct exchange *e);
void candidates_drop_exchange(struct conn *c, struct exchange *e);

/* Likewise for calls; the kind of the call is known, grpc_status is final. */
void candidates_decide_call(struct conn *c, enum role role, struct call *call,
			    uint16_t grpc_status);
void candidates_drop_call(struct conn *c, struct call *call);
/* A call whose method is a candidate got a response message, and goes on. */
void candidates_decide_method(struct conn *c, enum role role, struct call *call);

#endif
