/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server address of a client's request: the host in the request, else the peer's IP address,
 * with the port. Pairs are admitted under a cap (label_values.h), since a crawler requests many
 * hosts, and others may control which hosts and ports a program requests.
 */
#ifndef SIDELIGHT_TXN_ADDRESS_H
#define SIDELIGHT_TXN_ADDRESS_H

#include "base/span.h"
#include "capture/event.h"
#include "txn/label_values.h"

/*
 * host is a value of the Host field; its port and letter case are ignored. Returns the host alone,
 * as label_values_find() does for the pair: equal hosts with different ports are different
 * pointers.
 */
const char *addresses_find(struct label_values *addresses, struct span host,
			   const struct endpoint *peer, struct memory_account *memory,
			   bool *ret_is_candidate);

#endif
