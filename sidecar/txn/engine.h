/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns events into transactions: connections, protocol parsers and pairing behind one function. It
 * does no I/O, has no clock and never logs; the same events give the same transactions.
 */
#ifndef SIDELIGHT_TXN_ENGINE_H
#define SIDELIGHT_TXN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "capture/event.h"
#include "proto/http2_recall.h"
#include "proto/message.h"
#include "proto/not_http.h"
#include "tls/stream.h"
#include "txn/active.h"
#include "txn/headers.h"
#include "txn/open_request.h"
#include "txn/transaction.h"

struct engine;
struct protocol_ops;

/* 20,000 idle connections of HTTP/1 take 19 MB; a thousand with header tables take 20 MB. */
#define ENGINE_MEMORY_DEFAULT (32u << 20)

struct engine_options {
	size_t conn_cap; /* connections at once; beyond it the longest idle is evicted */
	/* Bytes of all connections; beyond it, the longest idle is evicted. 0: the default above */
	size_t memory_cap;
	const char *route_templates; /* see route.h; NULL for none */
	size_t route_cap; /* per direction */
	/* Secrets of TLS connections, borrowed; NULL: TLS is not decrypted. */
	struct tls_secrets *secrets;
	/* Secrets are added while connections wait for them: engine_add_secret(). Otherwise all are
	 * added before the first event. */
	bool has_live_secrets;
	/* Of live ones: adds those that exist by now, and returns whether there were any. Called
	 * from within engine_event(), with source_ctx. May be NULL. */
	bool (*on_secrets_needed)(void *ctx);
	/*
	 * Answers segment_view.wants_frame_start: an HTTP/2 frame starts at seq. Of TLS: the bytes
	 * up to seq are body. May be NULL.
	 */
	void (*on_frame)(void *ctx, uint64_t conn_id, enum dir dir, uint32_t seq);
	/*
	 * Nothing more of a connection is needed: TLS that cannot be decrypted, or without HTTP.
	 * NULL: the source goes on with it.
	 */
	void (*on_unneeded)(void *ctx, uint64_t conn_id, enum sl_mute why);
	/*
	 * The first connection, or one more, has header fields that are unknown since it is older
	 * than we are: header lists of its program would help (engine_add_header_list()). NULL:
	 * there are none.
	 */
	void (*on_lists_wanted)(void *ctx);
	void *source_ctx; /* of all three */
};

/* Reasons for which known requests are in no transaction. */
enum engine_lost {
	/*
	 * It is not known which response was its own, or how that ended: bytes are missing or could
	 * not be decrypted, pairing is unreliable, or a 101 ended HTTP/1 before its response
	 */
	ENGINE_LOST_RESPONSE,
	ENGINE_LOST_REQUEST, /* its head was not copied; a response shows that it was sent */
	ENGINE_LOST_EVICTED, /* the connection was evicted */
	ENGINE_LOST_PIPELINE, /* too many open requests on one connection */
	ENGINE_LOST_MEMORY, /* there was no memory, or the connection was evicted for memory */
	ENGINE_LOST_STREAMS, /* too many open streams on one connection */
	ENGINE_LOST_MAX,
};

/* A static string, like "response_gap". */
const char *engine_lost_name(enum engine_lost why);

/* What became of header lists: enum http2_recalled, and what follows. */
enum engine_list {
	ENGINE_LIST_NO_CONNECTION = HTTP2_RECALLED_MAX, /* of none whose fields are unknown */
	ENGINE_LIST_AMBIGUOUS, /* of one of two, in different networks */
	/* None was asked for: a head with unknown fields, while too many connections want lists. */
	ENGINE_LIST_TOO_MANY,
	ENGINE_LIST_MAX,
};

/* A static string, like "no_connection". */
const char *engine_list_name(unsigned what);

struct engine_stats {
	uint64_t conns_open; /* now */
	uint64_t conns_total;
	uint64_t conns_evicted;
	uint64_t conns_evicted_memory; /* not included in conns_evicted */
	uint64_t memory_used; /* bytes of all connections, now */
	uint64_t memory_cap;
	uint64_t
		/* Refused allocations: the connection's share or the budget was exhausted. */
		memory_refused;
	uint64_t events_refused; /* events of connections for which there was no memory */
	uint64_t ahead_dropped; /* segments ahead for which there was no room (flow/ahead.h) */
	uint64_t conns_muted[SL_MUTE_MAX]; /* by enum sl_mute */
	uint64_t conns_not_http[NOT_HTTP_MAX]; /* by enum not_http; some are muted later, too */
	uint64_t requests_open; /* now */
	uint64_t requests_unanswered; /* open when the source ended; not counted elsewhere */
	uint64_t transactions;
	uint64_t lost[ENGINE_LOST_MAX];
	uint64_t parse_failed[PARSE_FAIL_MAX];
	uint64_t bytes_lost; /* bytes that will never come */
	uint64_t bytes_lost_framing; /* of those: outside of bodies of known length */
	uint64_t responses_unpaired; /* responses without a known request */
	uint64_t routes_overflowed; /* requests whose route or gRPC method is _OTHER */
	uint64_t addresses_overflowed; /* requests whose server_address is _OTHER */
	uint64_t
		/* gRPC-Web requests, counted as HTTP; their status does not give the call's */
		grpc_web_requests;
	uint64_t http2_unknown_fields; /* header fields that could not be decoded */
	uint64_t http2_table_bytes; /* memory of header tables, now */
	uint64_t header_lists[ENGINE_LIST_MAX];
	struct tls_stats tls; /* zero without engine_options.secrets */
};

/* Returns NULL with *ret_error (static text) if a template is malformed or there is no memory. */
struct engine *engine_new(const struct engine_options *options, const char **ret_error);
void engine_free(struct engine *e);

/* Replaces the route templates: see routes_set(). */
const char *engine_set_routes(struct engine *e, const char *templates);

/*
 * Sinks are called in the order of addition. They may be added and removed at any time, also by a
 * sink that is being called. A new sink gets transactions from the next one on; a removed sink gets
 * none any more, not even the current one. Returns 0, or -ENOSPC if there are SINKS_MAX (sinks.h).
 */
int engine_add_sink(struct engine *e, const struct txn_sink *sink, void *ctx);
/* Ignores a pair that was not added. */
void engine_remove_sink(struct engine *e, const struct txn_sink *sink, void *ctx);

/*
 * From now on transactions have the header fields of this wish, too, until it is removed. Requests
 * that are open have those of what comes. wish is borrowed until then.
 */
void engine_want_headers(struct engine *e, struct header_wish *wish);
/* Ignores a wish that was not added. */
void engine_unwant_headers(struct engine *e, struct header_wish *wish);
/* All wishes; borrowed. */
const struct header_wishes *engine_header_wishes(const struct engine *e);

/* The budget of all connections. What others take of it they give back before engine_free(). */
struct memory_budget *engine_memory(struct engine *e);

/*
 * Adds a protocol, before the first event. Connections are offered to added protocols, in the order
 * of addition, before HTTP is detected (protocols.h). Returns 0, or -ENOSPC if there are
 * PROTOCOLS_MAX.
 */
int engine_add_protocol(struct engine *e, const struct protocol_ops *ops);

/* An event_fn; ctx is the engine. */
void engine_event(void *ctx, const struct event *ev);

/* Of a live table: a secret has come. The caller overwrites its copy. */
void engine_add_secret(struct engine *e, const struct sl_secret *secret);
/* Connections that waited for secrets that were added go on. Returns false if it is to be called
 * again a little later, even if none are added until then. */
bool engine_resume_secrets(struct engine *e, uint64_t time_ns);
/* A header list of a program that is observed, and where it belongs. */
struct header_list {
	struct endpoint ends[2]; /* of the connection, in any order */
	enum role role; /* of the program */
	enum dir dir; /* EGRESS: the program writes it */
	struct http2_list list;
};

/* Its fields may be those that are unknown in a block before or behind it (http2_recall.h). */
void engine_add_header_list(struct engine *e, const struct header_list *list);
/*
 * Calls fn with the ends of each connection that wants header lists. Those that have had none for
 * ENGINE_LISTS_WAIT_NS, or have no unknown field any more, want none from then on.
 */
#define ENGINE_LISTS_WAIT_NS UINT64_C(120000000000)
typedef void (*engine_wants_lists_fn)(void *ctx, const struct endpoint *local,
				      const struct endpoint *remote);
bool engine_wants_lists(const struct engine *e);
void engine_each_wanting_lists(struct engine *e, uint64_t time_ns, engine_wants_lists_fn fn,
			       void *ctx);

/* Connections that have waited too long for their secrets are given up; secrets that no connection
 * has asked for are overwritten. Returns how many connections were given up. */
unsigned engine_expire_secrets(struct engine *e, uint64_t time_ns);
/* Is there a connection that waits? */
bool engine_awaits_secrets(const struct engine *e);
/*
 * The source has ended at time_ns: ends every connection. Open requests without a response are
 * dropped, since they did not fail.
 */
void engine_flush(struct engine *e, uint64_t time_ns);

/* The open requests: ACTIVE_CELLS + 1 cells, including unused ones. */
const struct active *engine_actives(const struct engine *e);

/* TLS connections that were not decrypted, or not to their end. */
static inline uint64_t engine_stats_tls_dark(const struct engine_stats *s)
{
	uint64_t sum = s->conns_muted[SL_MUTE_TLS];

	for (unsigned i = TLS_FAIL_NONE + 1; i < TLS_FAIL_MAX; i++)
		sum += s->tls.failed[i];
	return sum;
}

/* What the engine knows of a connection. */
struct engine_conn {
	uint64_t container;
	enum role role;
	struct endpoint remote;
	uint32_t requests; /* that were reported, modulo 2^32 */
	uint64_t requests_open;
};

/* False: the connection is not followed, or no more. */
bool engine_find_conn(const struct engine *e, uint64_t conn_id, struct engine_conn *ret_conn);

/* Calls fn for each open request: it looks at all connections, and changes nothing. */
void engine_each_open(struct engine *e, open_request_fn fn, void *ctx);

/* Valid until the next call on e. */
const struct engine_stats *engine_stats(struct engine *e);

#endif
