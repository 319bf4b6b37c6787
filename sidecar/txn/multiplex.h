/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on one connection: two parsers, and the calls that are open on it.
 *
 * A call begins with the header block of its request and ends with END_STREAM of its response, a
 * reset, or the connection. Where frames were lost, what has ended provably is reported still; a
 * call of which that cannot be said when the connection ends is counted as lost.
 *
 * Joined mid-stream, or after a lost header block, fields may be unknown. Whether a call is gRPC is
 * then taken from the first of these that tells: content-type of request or response; grpc-status;
 * a body that consists of messages of gRPC to the last byte; what all other calls of the connection
 * were.
 */
#ifndef SIDELIGHT_TXN_MULTIPLEX_H
#define SIDELIGHT_TXN_MULTIPLEX_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/conn.h"
#include "txn/exchange.h"
#include "txn/protocol.h"

struct multiplex;

extern const struct protocol_ops http2_protocol;

/*
 * The session speaks HTTP/2 from its next byte on. role ROLE_UNKNOWN: the first request or response
 * tells. joins: the connection is older than what is seen of it; else the client's preface comes
 * next, of which `seen` bytes are known already. False: no memory, which is counted.
 */
bool multiplex_begin(struct conn *c, struct session *s, enum role role, bool joins, unsigned seen);

/* Upgrade: h2c. The request becomes stream 1 (RFC 7540 section 3.2), and is e's no longer. */
void multiplex_upgrade(struct multiplex *m, struct conn *c, struct exchange *e);

#endif
