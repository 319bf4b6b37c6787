/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 on one connection: two parsers, and the pairing of what they find.
 *
 * Pairing is by order alone, so it is only as good as the knowledge that
 * nothing is missing. When bytes of framing were lost, whatever was open is
 * counted as lost and not reported: a response is never given to a request
 * that it may not belong to.
 */
#ifndef SIDELIGHT_TXN_SESSION_H
#define SIDELIGHT_TXN_SESSION_H

#include "flow/conn.h"
#include "proto/http1.h"
#include "txn/active.h"
#include "txn/address.h"
#include "txn/engine.h"
#include "txn/exchange.h"
#include "txn/route.h"

#define ENGINE_SINKS_MAX 4

/* What all sessions of an engine share: conn.owner. */
struct session_env {
	struct routes *routes;
	struct addresses *addresses;
	bool wants_target;
	uint32_t tid; /* of the event at hand; 0 unknown */
	uint64_t number; /* of the engine, unique in this process */
	size_t sink_count;
	const struct txn_sink *sinks[ENGINE_SINKS_MAX];
	void *sink_ctx[ENGINE_SINKS_MAX];
	struct actives actives;
	struct engine_stats stats;
};

/* conn.user of every connection. */
struct session {
	struct http1 parser[2]; /* by enum dir; valid once role is known */
	struct exchanges open;
	enum role role;
	bool is_interim; /* the response at hand is a 1xx */
	bool is_unpaired; /* the response at hand has no request that was seen */
	bool has_pipelined; /* two requests were open at once */
	bool is_suspect; /* requests may be missing behind the only open one: none may follow it */
	bool is_tainted; /* requests are missing among the open ones: count, do not report */
	uint32_t tid; /* of the newest egress data */
};

/* For the table of connections. */
extern const struct conn_sink session_sink;

#endif
