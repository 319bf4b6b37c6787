/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on one connection: a frame parser for each direction, which tells of the connection's
 * streams (http2_streams.h), and what the source wants to know of the places of frames.
 */
#ifndef SIDELIGHT_TXN_HTTP2_SESSION_H
#define SIDELIGHT_TXN_HTTP2_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/conn.h"
#include "txn/exchange.h"
#include "txn/protocol.h"

struct http2_session;

extern const struct protocol_ops http2_protocol;

/*
 * The session speaks HTTP/2 from its next byte on. role ROLE_UNKNOWN: the first request or response
 * tells. joins: the connection is older than what is seen of it; else the client's preface comes
 * next, of which `seen` bytes are known already. False: no memory, which is counted.
 */
bool http2_session_begin(struct conn *c, struct session *s, enum role role, bool joins,
			 unsigned seen);

/* After http2_session_begin(): e is the request that asked for HTTP/2, see http2_streams.h. */
void http2_session_upgrade(struct conn *c, struct session *s, struct exchange *e);

#endif
