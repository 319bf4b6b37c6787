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
#include "proto/http2.h"
#include "txn/exchange.h"

struct multiplex;

/*
 * NULL: no memory. c is the connection that it is charged to. role ROLE_UNKNOWN: the first request
 * or response tells. joins: the connection is older than what is seen of it; else the client's
 * preface comes next, of which `seen` bytes are known already.
 */
struct multiplex *multiplex_new(struct conn *c, enum role role, bool joins, unsigned seen);
/* Accepts NULL. No calls are left: multiplex_end() it. */
void multiplex_free(struct multiplex *m, struct conn *c);

/* Upgrade: h2c. The request becomes stream 1 (RFC 7540 section 3.2), and is e's no longer. */
void multiplex_upgrade(struct multiplex *m, struct conn *c, struct exchange *e);

/* As struct bytes_sink and struct conn_sink have them. */
void multiplex_data(struct multiplex *m, struct conn *c, enum dir dir,
		    const struct segment_view *view);
void multiplex_skip(struct multiplex *m, struct conn *c, enum dir dir, uint32_t len,
		    uint64_t time_ns);
void multiplex_lost(struct multiplex *m, struct conn *c, enum dir dir, uint32_t len,
		    uint64_t time_ns);
void multiplex_end(struct multiplex *m, struct conn *c, enum conn_end how, uint64_t time_ns);

#endif
