/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that has ended, as a transaction.
 */
#ifndef SIDELIGHT_TXN_CALL_REPORT_H
#define SIDELIGHT_TXN_CALL_REPORT_H

#include "flow/conn.h"
#include "txn/call.h"
#include "txn/transaction.h"

/*
 * Hands the call to the sinks of c's owner, and counts it. Its kind is not CALL_UNSURE. A gRPC call
 * whose connection ended is UNAVAILABLE; one without a status has the one that its HTTP status maps
 * to.
 */
void call_report(struct call *ended, struct conn *c, enum role role, enum txn_error error,
		 uint64_t end_ns);

#endif
