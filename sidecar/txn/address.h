/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a client talked to: the host that the request names, else the peer's IP address, with the
 * port. Pairs of both have to earn their place under a cap, as label_values.h has it: a crawler
 * asks many hosts, and whoever makes a program send requests may name any host and port.
 */
#ifndef SIDELIGHT_TXN_ADDRESS_H
#define SIDELIGHT_TXN_ADDRESS_H

#include "base/span.h"
#include "capture/event.h"
#include "txn/label_values.h"

/*
 * host is as in the Host field: a port in it and the case of letters are dropped. The answer is the
 * host alone, as label_values_find() answers for the pair: hosts of equal names and different ports
 * are different pointers.
 */
const char *addresses_find(struct label_values *addresses, struct span host,
			   const struct endpoint *peer, struct memory_account *memory,
			   bool *ret_is_candidate);

#endif
