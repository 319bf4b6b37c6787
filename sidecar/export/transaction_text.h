/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a transaction as text, and all of them as a JSON object. Its fields, in this order;
 * all but the last three are always there, null where nothing is known:
 *
 *     time            string  first byte of the request, RFC 3339, UTC, nanoseconds
 *     role            string  "server" or "client": which end was observed
 *     conn            string  names the connection within one run
 *     client, server  string  "ADDRESS:PORT", "[IPV6]:PORT"
 *     method, target  string  as on the wire, escaped; target without its query unless that is
 *                           wanted, null if not kept
 *     route           string  template of the target
 *     version         string  "1.0", "1.1", "2"; of the request
 *     status          number  null if no response came, or its status could not be read
 *     error           string  "connection_closed", ...; null if it ended well
 *     duration_ns     number  first byte of the request to last byte of the response
 *     first_byte_ns   number  first byte of the request to first byte of the response
 *     request_bytes, response_bytes  number  bodies, as on the wire
 *     probe           bool    health check of a kubelet
 *     stream          number  of HTTP/2
 *     rpc_status      string  "OK", "NOT_FOUND", ..., "unknown"; gRPC only, as are the next three
 *     request_messages, response_messages  number  messages that were counted
 *     timeout_ns      number  timeout that the caller gave the server (grpc-timeout)
 *     scheme          string  "https"; only for requests over TLS
 *     trace_id, span_id  string  hexadecimal; only for requests that have a trace context
 *
 * Escaped: bytes outside of printable ASCII are written `\xNN` and a backslash `\\`, so that
 * strangers' bytes neither drive a terminal nor break UTF-8.
 */
#ifndef SIDELIGHT_EXPORT_TRANSACTION_TEXT_H
#define SIDELIGHT_EXPORT_TRANSACTION_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/text.h"
#include "txn/transaction.h"

/* What the text says beside the transaction itself. */
struct transaction_text {
	int64_t offset_ns; /* added to its times: nanoseconds since 1970 */
	bool has_query; /* targets have their query strings */
};

/* The object without its closing brace: the caller may add members. */
void transaction_text_json(struct text *out, const struct transaction *t,
			   const struct transaction_text *how);

/* Appends s, escaped. */
void transaction_text_escape(struct text *out, struct span s);
/* Appends "ADDRESS:PORT". */
void transaction_text_endpoint(struct text *out, const struct endpoint *e);
/* The target as it is shown, not escaped; a part of the transaction's. */
struct span transaction_text_target(const struct transaction *t,
				    const struct transaction_text *how);
/* Splits a time; returns its nanoseconds. */
unsigned transaction_text_time(uint64_t time_ns, const struct transaction_text *how,
			       struct tm *ret);

#endif
