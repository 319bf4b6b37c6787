/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a client talked to: the host that the request names, else the peer's
 * IP address, as interned strings under a cap.
 */
#ifndef SIDELIGHT_TXN_ADDRESS_H
#define SIDELIGHT_TXN_ADDRESS_H

#include <stddef.h>

#include "base/span.h"
#include "capture/event.h"

#define ADDRESS_OTHER "_OTHER"

struct addresses;

/* NULL: no memory. */
struct addresses *addresses_new(size_t cap);
/* Accepts NULL. */
void addresses_free(struct addresses *a);

/* host is as in the Host field: a port behind it and the case of letters are dropped.
 * Interned: lives as long as a. ADDRESS_OTHER beyond the cap. */
const char *addresses_find(struct addresses *a, struct span host, const struct endpoint *peer);

#endif
