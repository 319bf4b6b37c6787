/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in, transactions out: connections, protocol parsers and pairing
 * behind one function. It does no I/O, keeps no clock of its own and never
 * logs; the same events give the same transactions.
 */
#ifndef SIDELIGHT_TXN_ENGINE_H
#define SIDELIGHT_TXN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "capture/event.h"
#include "proto/message.h"
#include "proto/not_http.h"
#include "tls/stream.h"
#include "txn/active.h"
#include "txn/transaction.h"

struct engine;
struct protocol_ops;

/* 20,000 idle connections of HTTP/1 take 19 MB, a thousand that have header tables 20. */
#define ENGINE_MEMORY_DEFAULT (32u << 20)

struct engine_options {
	size_t conn_cap; /* connections followed at once; beyond it the longest idle is evicted */
	size_t memory_cap; /* bytes for all connections; likewise. 0: ENGINE_MEMORY_DEFAULT */
	const char *route_templates; /* see route.h; NULL for none */
	size_t route_cap; /* per direction */
	/* Of TLS connections, borrowed; NULL: their bytes are not looked at. No more are added once
	 * events come. */
	const struct tls_secrets *secrets;
	/* The answer to segment_view.wants_frame_start: a frame of HTTP/2 starts at seq. May be
	 * NULL. */
	void (*on_frame)(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq);
	void *frame_ctx;
};

/* Requests that were seen, or known to be there, and are in no transaction. */
enum engine_lost {
	ENGINE_LOST_RESPONSE, /* bytes of the response's framing never came */
	ENGINE_LOST_EVICTED, /* its connection was evicted */
	ENGINE_LOST_PIPELINE, /* more open requests on one connection than are followed */
	ENGINE_LOST_MEMORY, /* no memory for it, or its connection was evicted for memory */
	ENGINE_LOST_STREAMS, /* more open streams on one connection than are followed */
	ENGINE_LOST_MAX,
};

/* "response_gap", "evicted", ...; static. */
const char *engine_lost_name(enum engine_lost why);

struct engine_stats {
	uint64_t conns_open; /* now */
	uint64_t conns_total;
	uint64_t conns_evicted;
	uint64_t conns_evicted_memory; /* not among those */
	uint64_t memory_used; /* bytes that all connections take, now */
	uint64_t memory_cap;
	uint64_t
		memory_refused; /* allocations: the connection had its share, or nothing was left */
	uint64_t events_refused; /* of connections for which there was no memory */
	uint64_t ahead_dropped; /* pieces out of order for which there was no room */
	uint64_t conns_muted[SL_MUTE_MAX]; /* by enum sl_mute */
	uint64_t conns_not_http[NOT_HTTP_MAX]; /* by enum not_http; some are muted later, too */
	uint64_t requests_open; /* now */
	uint64_t requests_unanswered; /* open when the source ended: in no other number */
	uint64_t transactions;
	uint64_t lost[ENGINE_LOST_MAX];
	uint64_t parse_failed[PARSE_FAIL_MAX];
	uint64_t bytes_lost; /* that nobody will hand in */
	uint64_t bytes_lost_framing; /* of those: not inside a body of known length */
	uint64_t responses_unpaired; /* responses whose request was never seen */
	uint64_t routes_overflowed; /* requests whose route or method of gRPC is _OTHER */
	uint64_t addresses_overflowed; /* ... whose server_address is */
	uint64_t
		grpc_web_requests; /* among those of HTTP, whose status says little of the call's */
	uint64_t http2_unknown_fields; /* header fields of a table whose beginning was not seen */
	uint64_t http2_table_bytes; /* memory of header tables, now */
	struct tls_stats tls; /* zero without engine_options.secrets */
};

/* NULL with *ret_error (static text) for malformed templates or no memory. */
struct engine *engine_new(const struct engine_options *options, const char **ret_error);
void engine_free(struct engine *e);

/* Other route templates from now on: see routes_set(). */
const char *engine_set_routes(struct engine *e, const char *templates);

/*
 * Sinks are called in the order of addition. They may be added and removed at any time, also by a
 * sink that is being called: one that is added gets transactions from the next one on, one that is
 * removed gets none any more, not even the one at hand. Returns 0, or -ENOSPC if there are
 * SINKS_MAX (sinks.h).
 */
int engine_add_sink(struct engine *e, const struct txn_sink *sink, void *ctx);
/* Of a pair that was added; another one is ignored. */
void engine_remove_sink(struct engine *e, const struct txn_sink *sink, void *ctx);

/*
 * Connections are offered to this protocol before HTTP is looked for, to the one that was added
 * first before the others (protocols.h). Before the first event. Returns 0, or -ENOSPC if there are
 * PROTOCOLS_MAX.
 */
int engine_add_protocol(struct engine *e, const struct protocol_ops *ops);

/* An event_fn: ctx is the engine. */
void engine_event(void *ctx, const struct event *ev);

/* The source has ended at time_ns: every connection is closed, open requests
 * that were not answered yet are forgotten (they did not fail). */
void engine_flush(struct engine *e, uint64_t time_ns);

/* What is open now: ACTIVE_CELLS + 1 of them, unused ones included. */
const struct active *engine_actives(const struct engine *e);

/* Valid until the next call on e. */
const struct engine_stats *engine_stats(struct engine *e);

#endif
