/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy protocol, made by following sidecar/README.md ("How to add something"): the smallest
 * complete example.
 *
 * The client sends lines "PING n\n", n a decimal number of up to nine digits, and may send several
 * before a response. The server responds to each with "PONG n\n", in any order. Other lines are
 * malformed, and ignored.
 *
 * Exchanges are paired by number, so missing bytes cannot cause a wrong pair. A PING whose PONG may
 * be lost stays open until the connection ends, and is then counted as lost.
 */
#ifndef SIDELIGHT_TESTS_TOY_PING_H
#define SIDELIGHT_TESTS_TOY_PING_H

#include <stdint.h>

#include "txn/protocol.h"

/* Further open exchanges of a connection are counted as lost. */
#define PING_OPEN_MAX 16

/* transaction.added.part */
struct ping_part {
	uint32_t number;
};

/* For engine_add_protocol(). */
extern const struct protocol_ops ping_protocol;

#endif
