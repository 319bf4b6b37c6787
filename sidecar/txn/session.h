/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: its bytes go to the protocol that it speaks (protocol.h), which is detected from
 * the first of them (detection.h).
 */
#ifndef SIDELIGHT_TXN_SESSION_H
#define SIDELIGHT_TXN_SESSION_H

#include "flow/conn.h"
#include "proto/http1.h"
#include "proto/proxy.h"
#include "tls/stream.h"
#include "txn/active.h"
#include "txn/address.h"
#include "txn/engine.h"
#include "txn/call.h"
#include "txn/exchange.h"
#include "txn/protocol.h"
#include "txn/route.h"
#include "txn/rpc_method.h"
#include "txn/sinks.h"

/* What all sessions of an engine share: conn.owner. */
struct session_env {
	struct routes *routes;
	struct label_values *route_names; /* of routes */
	struct label_values *addresses;
	struct label_values *rpc_methods;
	struct call_pool calls;
	size_t http2_table_bytes; /* of all connections */
	void (*on_frame)(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq); /* or NULL */
	void *frame_ctx;
	uint64_t number; /* of the engine with these templates, unique in this process */
	struct sinks sinks;
	struct tls_env *tls; /* NULL: TLS is not looked for */
	struct actives actives;
	struct engine_stats stats;
	struct protocols protocols;
};

/* Read for each request: sinks come and go. */
static inline bool session_needs_target(const struct session_env *env)
{
	return env->sinks.needs & TXN_NEED_TARGET;
}

/* Of the newest request. */
enum turn {
	TURN_NONE, /* there is none, or something was missed since, or it was not answered once */
	TURN_ASKED,
	TURN_ANSWERED, /* by one whole response */
};

/* Does the client wait for the response to its request before the next one? See turn.h. */
enum client_habit { CLIENT_UNKNOWN, CLIENT_WAITS, CLIENT_PIPELINES };

/* conn.user of every connection. */
struct session {
	const struct protocol_ops *protocol; /* NULL: not known yet */
	struct http2_session *http2; /* owned; NULL: it does not speak HTTP/2 */
	/* HTTP/1 */
	enum role role;
	bool is_interim; /* the response at hand is a 1xx */
	bool is_unpaired; /* the response at hand has no request that was seen */
	bool is_answered; /* a response without request came after the newest request: answered_seq
			   */
	bool has_begun; /* a part of a request's head came in earlier events: begun_seq */
	bool has_asked; /* asked_seq is valid */
	uint8_t turn; /* enum turn */
	uint8_t client; /* enum client_habit */
	bool has_missed; /* messages, or parts of them, at any time */
	bool request_may_be_missing; /* behind the only open one: none may follow it */
	bool doubts_next; /* bytes may have been a request: the next one may get its response */
	bool pairing_unreliable; /* requests are missing among the open ones: count, do not report
				  */
	struct http1 parser[2]; /* by enum dir */
	struct exchanges open;
	const struct segment_view *at_hand; /* borrowed, during a call of flow; NULL: none */
	uint32_t answered_seq; /* how far requests had come then */
	uint32_t begun_seq; /* how far responses had come at its first byte */
	uint32_t asked_seq; /* ... and at that of the newest request */
	uint32_t tid; /* of the newest egress data */
	bool is_unreadable; /* bytes came that begin no request; nothing followed: unreadable_ns */
	uint16_t trusted; /* open requests that came before such bytes; the others are unreliable */
	uint64_t unreadable_ns;
	/* Detection */
	uint64_t held_ns; /* when the first of the held bytes was seen, or of those in proxy */
	struct proxy *proxy; /* owned; a PROXY header of the client has begun and not ended */
	bool is_past_proxy[2]; /* by enum dir: a PROXY header can't begin, or go on, any more */
	uint8_t held; /* bytes of HTTP/2's preface that the client sent, and no other byte */
	bool has_lost_start[2]; /* first bytes are missing: it is as good as an older connection */
	bool has_gap; /* bytes of either direction were lost, at any time */
	bool is_banner; /* not_http is what the server said before the client said anything */
	uint8_t not_http; /* enum not_http; once it is set, all further bytes are ignored */
	bool is_past_protocols[2]; /* by enum dir: no added protocol is asked about it any more */
	uint8_t likely_frames; /* segments of an older connection that look like HTTP/2's frames */
	/* Transport */
	uint8_t transport; /* enum transport */
	struct tls_stream *tls; /* owned: the bytes come from there; NULL: from TCP */
	/* Added protocols (protocols.h) */
	struct first_bytes *first_bytes; /* owned; held until one of them is detected, or none */
	void *state; /* of `protocol`, if it was added, and owned by it */
};

/* Of a connection whose user is a session. */
static inline bool session_is_tls(const struct conn *c)
{
	return ((const struct session *)c->user)->tls;
}

/* For the table of connections: of what is not encrypted. */
extern const struct conn_sink session_sink;

#endif
