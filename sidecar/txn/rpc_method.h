/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the :path of a gRPC call to its `pkg.Service/Method`, as interned strings under a cap: who
 * calls may call anything.
 */
#ifndef SIDELIGHT_TXN_RPC_METHOD_H
#define SIDELIGHT_TXN_RPC_METHOD_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"

#define RPC_METHOD_OTHER   "_OTHER"
#define RPC_METHOD_INVALID "{invalid}" /* a path of another form */

struct rpc_methods;

/* cap is per direction (server, client). NULL: no memory. */
struct rpc_methods *rpc_methods_new(size_t cap);
/* Accepts NULL. */
void rpc_methods_free(struct rpc_methods *m);

/* Interned: lives as long as m, equal methods are equal pointers. Never NULL. */
const char *rpc_methods_find(struct rpc_methods *m, enum role role, struct span path);

/* Is it what rpc_methods_find() answers beyond the cap? */
bool rpc_method_is_other(const char *method);

/* Paths that were answered with RPC_METHOD_OTHER. */
uint64_t rpc_methods_overflowed(const struct rpc_methods *m);

#endif
