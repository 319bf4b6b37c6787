/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extracts `pkg.Service/Method` from the :path of a gRPC call. Clients can send any method, so
 * methods are admitted under a cap (label_values.h).
 */
#ifndef SIDELIGHT_TXN_RPC_METHOD_H
#define SIDELIGHT_TXN_RPC_METHOD_H

#include "base/span.h"
#include "capture/event.h"
#include "txn/label_values.h"

#define RPC_METHOD_INVALID "{invalid}" /* a path of another form */

/* Returns as label_values_find(). */
const char *rpc_methods_find(struct label_values *methods, enum role role, struct span path,
			     struct memory_account *memory, bool *ret_is_candidate);

#endif
