/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on one connection: a frame parser for each direction, which feeds the connection's streams
 * (http2_streams.h), and the answers to a source that asks for frame starts.
 */
#ifndef SIDELIGHT_TXN_HTTP2_SESSION_H
#define SIDELIGHT_TXN_HTTP2_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/conn.h"
#include "txn/engine.h"
#include "txn/exchange.h"
#include "txn/protocol.h"

struct http2_session;

extern const struct protocol_ops http2_protocol;

/*
 * The session speaks HTTP/2 from its next byte on. role ROLE_UNKNOWN: derived from the first
 * request or response. joins: the beginning of the connection was not seen; else the client's
 * preface comes next, of which `seen` bytes are consumed already. Returns false if there is no
 * memory, which is counted.
 */
bool http2_session_begin(struct conn *c, struct session *s, enum role role, bool joins,
			 unsigned seen);

/*
 * Called after http2_session_begin(): e is the request that asked for HTTP/2, see http2_streams.h.
 */
void http2_session_upgrade(struct conn *c, struct session *s, struct exchange *e);

/*
 * A header list for one of the sessions with unknown fields, of which `first` is the first (struct
 * session_env).
 */
enum engine_list http2_sessions_add_list(struct http2_session *first,
					 const struct header_list *list);

struct http2_streams;

/* The program has read what session.read says; the session has http2. */
void http2_session_read(struct session *s);

/* The streams of a session that has http2; borrowed. */
const struct http2_streams *http2_session_streams(const struct session *s);

#endif
