/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 on one connection: two parsers, and the pairing of their requests and responses.
 *
 * Pairing is by order alone, so it is reliable only if no message is missing. When bytes of framing
 * are lost, the open requests are counted as lost and not reported: a response is never paired with
 * a request that it may not belong to. pairing.h describes when pairing is reliable again.
 */
#ifndef SIDELIGHT_TXN_HTTP1_SESSION_H
#define SIDELIGHT_TXN_HTTP1_SESSION_H

#include "txn/protocol.h"
#include "txn/session.h"

extern const struct protocol_ops http1_protocol;

/* The session speaks HTTP/1 from its next byte on. role is not ROLE_UNKNOWN. */
void http1_session_begin(struct conn *c, struct session *s, enum role role);

/*
 * Reports the missing first bytes of the directions in has_lost_start; view is the current segment.
 */
void http1_session_lose_start(struct conn *c, struct session *s, const struct segment_view *view,
			      uint64_t time_ns);

/* Frees the state of HTTP/1, if any. */
void http1_session_release(struct session *s);

#endif
