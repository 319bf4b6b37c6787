/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy protocol, made by following sidecar/README.md ("How to add something"): the smallest one
 * that has everything a protocol needs.
 *
 * The client sends lines "PING n\n", n a decimal number of up to nine digits, and may send several
 * before it gets an answer. The server answers each by "PONG n\n", in any order. A line that is
 * none of these is malformed, and ignored.
 *
 * An exchange is known by its number, so that nothing else can be given to it when bytes are
 * missing: a PING whose PONG may be among bytes that were lost waits for it until the connection
 * ends, and is then counted as lost.
 */
#ifndef SIDELIGHT_TESTS_TOY_PING_H
#define SIDELIGHT_TESTS_TOY_PING_H

#include <stdint.h>

#include "txn/protocol.h"

/* More open ones on a connection are counted as lost. */
#define PING_OPEN_MAX 16

/* transaction.added.part */
struct ping_part {
	uint32_t number;
};

/* For engine_add_protocol(). */
extern const struct protocol_ops ping_protocol;

#endif
