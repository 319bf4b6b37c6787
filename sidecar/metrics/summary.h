/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions of one run, added up by role, method and route, or by peer, process or thread: what
 * a person wants to see at the end, or live. Rows are capped; what comes beyond goes into one row
 * per role whose method and route are `_OTHER`. The kubelet's probes are left out.
 */
#ifndef SIDELIGHT_METRICS_SUMMARY_H
#define SIDELIGHT_METRICS_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "metrics/latency.h"
#include "metrics/stage_latency.h"
#include "proto/grpc.h"
#include "txn/open_request.h"
#include "txn/stages.h"
#include "txn/transaction.h"

#define SUMMARY_STATUSES 20 /* different ones per row; the rest is in status_other */

struct summary_status {
	uint16_t status; /* of HTTP, or of gRPC (enum grpc_status) */
	uint64_t count;
};

/* What a row is of. Members that summary_by does not name are empty or zero. */
enum summary_by {
	SUMMARY_BY_ROUTE,
	SUMMARY_BY_PEER,
	SUMMARY_BY_PROCESS,
	SUMMARY_BY_THREAD, /* and its process */
	SUMMARY_BY_MAX,
};

struct summary_key {
	enum role role;
	const char *method; /* interned, as transactions have them; never NULL, as the next */
	const char *route;
	/* The other end. Port 0 for a server, whose clients have a new one for each connection. */
	struct endpoint peer;
	uint32_t tgid; /* as transactions have them; 0: not known */
	uint32_t tid;
};

struct summary_row {
	struct summary_key key;
	bool is_rpc;
	uint64_t open; /* requests without a complete response: see summary_open() */
	uint64_t request_bytes; /* of bodies */
	uint64_t response_bytes;
	uint64_t errors; /* with an `error_type`, see red.h */
	uint64_t failed[TXN_ERROR_MAX]; /* without a complete response, by reason */
	struct summary_status
		status[SUMMARY_STATUSES]; /* those with a count, in order of arrival */
	uint64_t status_other;
	struct latency latency; /* its count is that of all requests */
	struct stage_latency stage[STAGE_MAX]; /* of those that are known */
	struct stages slowest; /* of the request that took latency.max_ns */
};

struct summary;

/* row_cap is for both roles together. NULL: no memory. */
struct summary *summary_new(size_t row_cap, enum summary_by by);
/* Accepts NULL. */
void summary_free(struct summary *s);

/* ctx is the struct summary. */
extern const struct txn_sink summary_sink;

/*
 * Adds a request that is open now. A row may have nothing else. By process and by thread it is left
 * out: who will write the response is not known.
 */
void summary_open(struct summary *s, const struct open_request *r);

size_t summary_row_count(const struct summary *s);
/* Rows by count, the largest first; i < summary_row_count(). Valid until something is added. */
const struct summary_row *summary_row(struct summary *s, size_t i);

/* What a status of a row is called: a number, a name of gRPC, or "unknown". May be buf. */
const char *summary_status_name(const struct summary_row *row, unsigned status,
				char buf[GRPC_STATUS_SIZE]);

/* From the first request's first byte to the last response's last; 0 if there were none. */
uint64_t summary_elapsed_ns(const struct summary *s);

#endif
