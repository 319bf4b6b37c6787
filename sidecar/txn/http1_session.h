/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 on one connection: two parsers, and the pairing of the requests and responses that they
 * find.
 *
 * Pairing is by order alone, so it is only as good as the knowledge that
 * nothing is missing. When bytes of framing were lost, whatever was open is
 * counted as lost and not reported: a response is never given to a request
 * that it may not belong to.
 *
 * A client that waits for each response before its next request has at most one request
 * among the missing ones whose response is still to come; pairing is reliable again with the next
 * request. Two requests between which no response byte passed show that a client does not wait. Of
 * such a connection nothing is reported any more once a message was lost, be it long before or
 * after that. A client that was not seen to do either is believed to wait after a loss when one
 * exchange shows it (turn.h).
 */
#ifndef SIDELIGHT_TXN_HTTP1_SESSION_H
#define SIDELIGHT_TXN_HTTP1_SESSION_H

#include "txn/protocol.h"
#include "txn/session.h"

extern const struct protocol_ops http1_protocol;

/* The session speaks HTTP/1 from its next byte on; role is not ROLE_UNKNOWN. */
void http1_session_begin(struct conn *c, struct session *s, enum role role);

/* The first bytes of the directions in has_lost_start are missing; view is the segment at hand. */
void http1_session_lose_start(struct conn *c, struct session *s, const struct segment_view *view,
			      uint64_t time_ns);

/* Frees what HTTP/1 took; it may be nothing. */
void http1_session_release(struct session *s);

#endif
