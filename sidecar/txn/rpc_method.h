/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the :path of a gRPC call to its `pkg.Service/Method`: who calls may call anything, so
 * methods have to earn their place under a cap, as label_values.h has it.
 */
#ifndef SIDELIGHT_TXN_RPC_METHOD_H
#define SIDELIGHT_TXN_RPC_METHOD_H

#include "base/span.h"
#include "capture/event.h"
#include "txn/label_values.h"

#define RPC_METHOD_INVALID "{invalid}" /* a path of another form */

/* As label_values_find() answers. */
const char *rpc_methods_find(struct label_values *methods, enum role role, struct span path,
			     struct memory_account *memory, bool *ret_is_candidate);

#endif
