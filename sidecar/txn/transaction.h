/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request with its response: what the whole engine exists to produce.
 * Sinks only read it; everything it points to is borrowed during the call.
 */
#ifndef SIDELIGHT_TXN_TRANSACTION_H
#define SIDELIGHT_TXN_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"
#include "proto/message.h"

/* How it ended, other than by a complete response. Value of `error_type` unless a status is one. */
enum txn_error {
	TXN_OK,
	TXN_CLOSED, /* "connection_closed": the connection ended in order, the response had not */
	TXN_RESET, /* "connection_reset" */
	TXN_MALFORMED, /* "malformed_response" */
	TXN_CANCELLED, /* "request_cancelled": the client reset the stream (HTTP/2) */
	TXN_STREAM_RESET, /* "stream_reset": the server reset it */
	TXN_ERROR_MAX,
};

/* What was there and could not be read, as a method, route or address: joined mid-stream. */
extern const char txn_unknown[];
/* Likewise as a status. */
#define TXN_STATUS_UNKNOWN 1
/* known_method of all gRPC calls. */
extern const char txn_grpc[];

/* "", "connection_closed", ...; static. */
const char *txn_error_name(enum txn_error error);

/* Which part of a transaction's union is valid. */
enum txn_protocol {
	TXN_HTTP,
	TXN_GRPC,
	TXN_ADDED, /* one that engine_add_protocol() added */
};

/* A request of HTTP with its response. */
struct txn_http {
	enum http_version version; /* of the request */
	uint16_t status; /* 0: none came */
	uint32_t stream; /* of HTTP/2; 0: HTTP/1 */
	struct span method; /* as on the wire; empty without TXN_NEED_TARGET */
	struct span target; /* as on the wire, cut to TXN_TARGET_MAX; empty likewise */
};

/* A call of gRPC. */
struct txn_grpc {
	struct txn_http http; /* the request that carries it */
	uint16_t status; /* enum grpc_status of proto/grpc.h; never NONE */
	bool has_uncounted; /* there were more messages than could be counted */
	uint32_t messages[2]; /* of request and response */
	uint64_t timeout_ns; /* that the caller gave; 0: none */
};

struct protocol_ops;

/* An exchange of a protocol that was added. */
struct txn_added {
	struct txn_http http; /* all zeros: for sinks that know HTTP only */
	const struct protocol_ops *protocol;
	const void *part; /* what this protocol defines; NULL: nothing */
};

/*
 * What is true of every protocol, then a part of each protocol's own. A sink that handles all
 * protocols alike reads the first only: `known_method` and `route` name what was asked for.
 */
struct transaction {
	enum txn_protocol protocol;
	enum role role; /* ROLE_SERVER or ROLE_CLIENT, never unknown */
	uint64_t conn_id;
	uint64_t container;
	const struct endpoint *local;
	const struct endpoint *remote;
	uint32_t tid; /* thread that wrote the response (server) or request (client); 0 unknown */

	const char *known_method; /* interned: one of the conventions' methods, "_OTHER", txn_grpc
				   */
	const char *route; /* interned: a template, never a raw path; gRPC: `pkg.Service/Method` */
	const char *server_address; /* interned: host of the request; "" for server side */
	uint16_t server_port;
	enum txn_error error;
	bool is_probe; /* kubelet's health check */
	bool is_tls; /* it was decrypted */

	uint64_t start_ns; /* first byte of the request */
	uint64_t first_byte_ns; /* first byte of the final response; 0 if none */
	uint64_t end_ns; /* last byte of the response, or the moment it failed */
	uint64_t request_bytes; /* body on the wire */
	uint64_t response_bytes;

	union {
		struct txn_http http; /* TXN_HTTP; of TXN_GRPC it is grpc.http */
		struct txn_grpc grpc; /* TXN_GRPC */
		struct txn_added added; /* TXN_ADDED */
	};
};

_Static_assert(offsetof(struct transaction, http) == offsetof(struct transaction, grpc.http) &&
		       offsetof(struct transaction, http) ==
			       offsetof(struct transaction, added.http),
	       "one place for all");

#define TXN_TARGET_MAX 512

/* What a sink reads of a transaction that is kept on demand only. */
enum txn_need {
	/* Method and target as on the wire: they cost memory for each open request. */
	TXN_NEED_TARGET = 1,
};

/*
 * A transaction has what the sinks needed that were there when its request began: a sink that is
 * added later gets requests without it at first.
 */
struct txn_sink {
	unsigned needs; /* of enum txn_need */
	void (*done)(void *ctx, const struct transaction *t);
};

#endif
