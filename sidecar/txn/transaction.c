/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/transaction.h"

const char txn_unknown[] = "unknown";
const char txn_grpc[] = "gRPC";

const char *txn_error_name(enum txn_error error)
{
	static const char *const names[TXN_ERROR_MAX] = {
		[TXN_OK] = "",
		[TXN_CLOSED] = "connection_closed",
		[TXN_RESET] = "connection_reset",
		[TXN_MALFORMED] = "malformed_response",
		[TXN_CANCELLED] = "request_cancelled",
		[TXN_STREAM_RESET] = "stream_reset",
	};

	return names[error];
}
