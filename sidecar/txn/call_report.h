/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a call that has ended into a transaction. */
#ifndef SIDELIGHT_TXN_CALL_REPORT_H
#define SIDELIGHT_TXN_CALL_REPORT_H

#include "flow/conn.h"
#include "txn/call.h"
#include "txn/transaction.h"

/*
 * Reports the call to the sinks of c's owner, and counts it. Its kind is not CALL_UNSURE. A gRPC
 * call whose connection ended is UNAVAILABLE; a call without grpc-status gets the mapping of its
 * HTTP status.
 */
void call_report(struct call *ended, struct conn *c, enum role role, enum txn_error error,
		 uint64_t end_ns);

#endif
