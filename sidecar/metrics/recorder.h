/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder: the last requests that ended, and longer than those the last errors and the
 * slowest of each route, for whoever asks later what happened.
 *
 *     done() --> recent, a ring ---- overwritten ----> is it an error?          errors, a ring
 *                                                      one of the slowest of
 *                                                      its route in an hour?    slow, by route
 *
 * A record is in one of the three places. Memory is taken at once and never grows; pages that were
 * not written yet cost nothing. Targets are stored without the secrets in them (base/redact.h).
 */
#ifndef SIDELIGHT_METRICS_RECORDER_H
#define SIDELIGHT_METRICS_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/redact.h"
#include "base/span.h"
#include "metrics/recorded_headers.h"
#include "txn/transaction.h"

#define RECORDER_RECENT_DEFAULT 2000
/*
 * A record has six cache lines. A request's target has the rest of them, which it shares with the
 * trace context of a request that has one.
 */
#define RECORD_BYTES	       384
#define RECORD_TEXT_MAX	       174
#define RECORD_TRACED_TEXT_MAX (RECORD_TEXT_MAX - sizeof(struct trace_context))

/*
 * One request with its response, as struct transaction has it. Its members from known_method to
 * response_bytes stand in the same order there: they are copied at once.
 */
struct record {
	uint64_t number; /* 1, 2, ... in the order in which they ended; 0: the place is empty */
	uint64_t conn_id;
	uint64_t container;

	const char *known_method; /* interned, as are the next two */
	const char *route;
	const char *server_address;
	uint16_t server_port;
	enum txn_error error;
	bool is_probe;
	bool is_tls;
	uint64_t start_ns;
	uint64_t request_end_ns; /* 0: not seen */
	uint64_t read_ns; /* 0: not known */
	uint64_t first_byte_ns; /* 0: none */
	uint64_t end_ns;
	uint64_t request_bytes;
	uint64_t response_bytes;

	uint32_t messages[2]; /* of gRPC; undefined for other protocols, as is grpc_status */
	uint32_t tid;
	uint32_t tgid;
	uint32_t stream;
	struct endpoint local;
	struct endpoint remote;
	uint16_t status; /* of HTTP */
	uint16_t grpc_status;
	uint8_t protocol; /* enum txn_protocol */
	uint8_t role; /* enum role */
	uint8_t version; /* enum http_version */
	bool is_cut; /* the target is longer than what is kept */
	uint8_t route_cell; /* the recorder's */
	uint8_t method_len; /* 0: it is known_method */
	uint16_t target_len;
	bool has_trace; /* its trace context is at the end of text */
	/* Method, then target. */
	char text[RECORD_TEXT_MAX + REDACT_PADDING];
};

/* Borrowed from the record. */
static inline struct span record_method(const struct record *r)
{
	return r->method_len ? (struct span){r->text, r->method_len} : span_of(r->known_method);
}
static inline struct span record_target(const struct record *r)
{
	return (struct span){r->text + r->method_len, r->target_len};
}

/* Borrowed from the record; NULL: it has none. */
static inline const struct trace_context *record_trace(const struct record *r)
{
	const char *end = r->text + sizeof(r->text);

	return r->has_trace ? (const struct trace_context *)end - 1 : NULL;
}

/* It has an error_type, or a status of gRPC other than OK. */
bool record_is_error(const struct record *r);

enum recorder_place { RECORDER_RECENT, RECORDER_ERROR, RECORDER_SLOW, RECORDER_PLACES };

struct recorder_stats {
	size_t bytes; /* of memory, at most */
	size_t recent; /* requests that have a place */
	size_t kept; /* errors and slowest ones that have a place */
	uint64_t recorded;
	uint64_t overwritten[RECORDER_PLACES]; /* by enum recorder_place: gone for good */
	uint64_t targets_cut;
	uint64_t routes_overflowed; /* requests of routes that share their place for the slowest */
	struct recorded_headers_stats headers;
};

struct recorder;

/* Bytes that a recorder of so many recent requests takes. */
size_t recorder_bytes(size_t recent);
/* The most recent requests that so many bytes have room for; 0: not even the fewest. */
size_t recorder_fit(size_t bytes);

/* Keeps the last `recent` requests (at least RECORDER_RECENT_MIN), and a fourth of that beside
 * them. NULL: no memory. */
struct recorder *recorder_new(size_t recent);
/* Accepts NULL. */
void recorder_free(struct recorder *r);

#define RECORDER_RECENT_MIN 16

/* ctx is the struct recorder. */
extern const struct txn_sink recorder_sink;

/* The record with the smallest number that is not below this one; NULL: there is none. Valid until
 * the next transaction. */
const struct record *recorder_next(const struct recorder *r, uint64_t number);
/* From this number on, no record is missing. */
uint64_t recorder_oldest(const struct recorder *r);
/* Of the next request. */
uint64_t recorder_next_number(const struct recorder *r);

/*
 * Calls fn once, when the request with this number has been recorded: from within the sink. fn may
 * call this function. UINT64_MAX: never.
 */
void recorder_notify(struct recorder *r, uint64_t number, void (*fn)(void *ctx), void *ctx);

/*
 * Somebody wants header fields, or other ones than before: those that the wishes have (borrowed, as
 * the budget is) are kept from now on, and those that nobody wants any more are forgotten. Without
 * a wish, nothing is left of them, and the budget may go. Returns 0 or -ENOMEM.
 */
int recorder_follow_headers(struct recorder *r, const struct header_wishes *wishes,
			    struct memory_budget *budget);

/* The header fields of a record of recorder_next(); NULL: it has none. Valid as long as that. */
const struct headers *recorder_headers(const struct recorder *r, const struct record *e);

/* Valid until the next call. */
const struct recorder_stats *recorder_stats(struct recorder *r);

#endif
