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
struct session_env;

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

/* --- sessions that want header lists, of which `first` is the first (struct session_env) --- */

/* The session of the list; NULL: there is none. */
struct http2_session *http2_sessions_find(struct http2_session *first,
					  const struct header_list *list);
/* Its connection. */
const struct conn *http2_session_conn(const struct http2_session *h);
/* Was has_twin found when there had been so many connections? */
bool http2_session_is_checked(const struct http2_session *h, uint64_t conns_total);
/* Is there, or was there, another connection with the same ends? */
bool http2_session_check(struct http2_session *h, uint64_t conns_total, bool has_twin);
void http2_session_add_list(struct http2_session *h, const struct header_list *list);
/* See engine_each_wanting_lists(). */
void http2_sessions_each_wanting(struct session_env *env, uint64_t time_ns,
				 engine_wants_lists_fn fn, void *ctx);

struct http2_streams;

/* The program has read what session.read says; the session has http2. */
void http2_session_read(struct session *s);

/* The streams of a session that has http2; borrowed. */
const struct http2_streams *http2_session_streams(const struct session *s);

#endif
