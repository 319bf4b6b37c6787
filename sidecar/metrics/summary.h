/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions of one run, added up by role, method and route: what a person
 * wants to see at the end. Rows are capped; what comes beyond goes into one
 * row per role whose method and route are `_OTHER`. The kubelet's probes are
 * left out.
 */
#ifndef SIDELIGHT_METRICS_SUMMARY_H
#define SIDELIGHT_METRICS_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/latency.h"
#include "proto/grpc.h"
#include "txn/transaction.h"

#define SUMMARY_STATUSES 20 /* different ones per row; the rest is in status_other */

struct summary_status {
	uint16_t status; /* of HTTP, or of gRPC (enum grpc_status) */
	uint64_t count;
};

struct summary_row {
	enum role role;
	bool is_rpc;
	const char *method; /* interned, as transactions have them */
	const char *route;
	uint64_t errors; /* with an `error_type`, see red.h */
	uint64_t failed[TXN_ERROR_MAX]; /* without a complete response, by reason */
	struct summary_status
		status[SUMMARY_STATUSES]; /* those with a count, in order of arrival */
	uint64_t status_other;
	struct latency latency; /* its count is that of all requests */
};

struct summary;

/* row_cap is for both roles together. NULL: no memory. */
struct summary *summary_new(size_t row_cap);
/* Accepts NULL. */
void summary_free(struct summary *s);

/* ctx is the struct summary. */
extern const struct txn_sink summary_sink;

size_t summary_row_count(const struct summary *s);
/* Rows by count, the largest first; i < summary_row_count(). Valid until the next transaction. */
const struct summary_row *summary_row(struct summary *s, size_t i);

/* What a status of a row is called: a number, a name of gRPC, or "unknown". May be buf. */
const char *summary_status_name(const struct summary_row *row, unsigned status,
				char buf[GRPC_STATUS_SIZE]);

/* From the first request's first byte to the last response's last; 0 if there were none. */
uint64_t summary_elapsed_ns(const struct summary *s);

#endif
