/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request with its response: the output of the engine. Sinks only read it; everything that it
 * points to is borrowed during the call.
 */
#ifndef SIDELIGHT_TXN_TRANSACTION_H
#define SIDELIGHT_TXN_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/event.h"
#include "proto/message.h"
#include "proto/trace_context.h"

/*
 * The failure of a request without a complete response: the value of `error_type`, unless a status
 * is one.
 */
enum txn_error {
	TXN_OK,
	TXN_CLOSED, /* "connection_closed": closed in order, before the response was complete */
	TXN_RESET, /* "connection_reset" */
	TXN_MALFORMED, /* "malformed_response" */
	TXN_CANCELLED, /* "request_cancelled": the client reset the stream (HTTP/2) */
	TXN_STREAM_RESET, /* "stream_reset": the server reset it */
	TXN_ERROR_MAX,
};

struct headers;

/* A method, route or address that could not be decoded, on a connection older than the capture. */
extern const char txn_unknown[];
/* A status that could not be decoded. */
#define TXN_STATUS_UNKNOWN 1
/* known_method of all gRPC calls. */
extern const char txn_grpc[];

/* A static string: "", "connection_closed", ... */
const char *txn_error_name(enum txn_error error);

/* The valid member of a transaction's union. */
enum txn_protocol {
	TXN_HTTP,
	TXN_GRPC,
	TXN_ADDED, /* a protocol that engine_add_protocol() added */
};

/* An HTTP request with its response. */
struct txn_http {
	enum http_version version; /* of the request */
	uint16_t status; /* 0: none */
	uint32_t stream; /* of HTTP/2; 0: HTTP/1 */
	/* As on the wire; may be empty where known_method is the same: see txn_method(). */
	struct span method;
	/* As on the wire, truncated to TXN_TARGET_MAX; empty without TXN_NEED_TARGET. */
	struct span target;
};

/* A gRPC call. */
struct txn_grpc {
	struct txn_http http; /* the HTTP request that carries it */
	uint16_t status; /* enum grpc_status of proto/grpc.h; never NONE */
	bool has_uncounted; /* some messages could not be counted */
	uint32_t messages[2]; /* of request and response */
	uint64_t timeout_ns; /* grpc-timeout; 0: none */
};

struct protocol_ops;

/* An exchange of an added protocol. */
struct txn_added {
	struct txn_http http; /* all zeros, for sinks that know HTTP only */
	const struct protocol_ops *protocol;
	const void *part; /* defined by the protocol; may be NULL */
};

/*
 * The members of all protocols, then a union with a member for each protocol. A sink that handles
 * all protocols alike reads the first part only; `known_method` and `route` describe the request
 * there.
 */
struct transaction {
	enum txn_protocol protocol;
	enum role role; /* ROLE_SERVER or ROLE_CLIENT, never unknown */
	uint64_t conn_id;
	uint64_t container;
	const struct endpoint *local;
	const struct endpoint *remote;
	/*
	 * Thread that wrote the first bytes of the response (server) or the request (client), and
	 * its process, in the PID namespace of sidelight; 0: not known.
	 */
	uint32_t tid;
	uint32_t tgid;
	const struct trace_context *trace; /* NULL: none, or no sink has TXN_NEED_TRACE */
	/* Those that somebody wants: engine_want_headers(); NULL: none. */
	const struct headers *headers;

	/* interned: a method of OpenTelemetry's conventions, "_OTHER", txn_unknown or txn_grpc */
	const char *known_method;
	const char *route; /* interned: a template, never a raw path; gRPC: `pkg.Service/Method` */
	const char *server_address; /* interned: host of the request; "" for the server side */
	uint16_t server_port;
	enum txn_error error;
	bool is_probe; /* a kubelet's health check */
	bool is_tls; /* it was decrypted */

	uint64_t start_ns; /* first byte of the request */
	uint64_t request_end_ns; /* last byte of the request; 0 if it was not seen: stages.h */
	uint64_t read_ns; /* the program has read the request; 0 if that is not known */
	uint64_t first_byte_ns; /* first byte of the final response; 0 if none */
	uint64_t end_ns; /* last byte of the response, or time of the failure */
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

/* As on the wire, if some sink has TXN_NEED_TARGET. */
static inline struct span txn_method(const struct transaction *t)
{
	return t->http.method.len ? t->http.method : span_of(t->known_method);
}

#define TXN_TARGET_MAX 512

/* The parts of a transaction that are stored only if a sink needs them. */
enum txn_need {
	/* Method and target as on the wire, which cost memory for each open request. */
	TXN_NEED_TARGET = 1,
	/* The trace context. Of HTTP/2, connections that were open before the sink have none. */
	TXN_NEED_TRACE = 2,
};

/*
 * A transaction has the parts that sinks needed when its request began: a new sink may get requests
 * without them at first.
 */
struct txn_sink {
	unsigned needs; /* bits of enum txn_need */
	void (*done)(void *ctx, const struct transaction *t);
};

#endif
