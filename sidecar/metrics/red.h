/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions into RED metrics: rate, errors, duration, by the OpenTelemetry
 * conventions in Prometheus spelling. A client's port is no label where its address is _OTHER.
 *
 * A transaction like one seen before costs one look-up in a small cache, by
 * the addresses of its interned strings: known_method, route and
 * server_address must stay valid, and must not be reused for other text, for
 * as long as the sink gets transactions.
 *
 * Calls of gRPC go to the families of rpc.h; protocols that were added have sinks of their own.
 *
 * `error_type` is the status as text (server: 5xx; client: 4xx and 5xx), else
 * how the connection failed, else empty.
 */
#ifndef SIDELIGHT_METRICS_RED_H
#define SIDELIGHT_METRICS_RED_H

#include <stdbool.h>
#include <stdint.h>

#include "metrics/duration.h"
#include "metrics/registry.h"
#include "txn/active.h"
#include "txn/transaction.h"

struct red;

struct exemplars;
struct process_labels;

struct red_options {
	struct exemplars *exemplars; /* of durations; borrowed; NULL: none */
	/* Labels of durations and sizes; borrowed; NULL: families have none. */
	struct process_labels *processes;
	bool wants_body_sizes; /* the four _body_size_bytes families */
	/*
	 * A route that is served gets the series of its first error, too, which is zero until it
	 * comes: status 500 (health checks: 503; gRPC: UNKNOWN), while half of the cap is free. A
	 * counter whose first value is not zero seems not to have increased.
	 */
	bool foresees_errors;
	/* Borrowed until the registry is freed; NULL: the default ones. */
	const struct duration_buckets *durations;
};

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct red *red_new(struct registry *r, const struct red_options *options);
/* Accepts NULL. */
void red_free(struct red *red);

/*
 * From now on, transactions of container `id` carry this name (copied); NULL
 * forgets the id. Unknown ids have no container label. The 64 containers named last
 * are remembered: one that is to stay is named again (which costs a comparison)
 * whenever there is an occasion. Call it before the container's first event, and after its last.
 * Returns 0 or -ENOMEM.
 */
int red_container(struct red *red, uint64_t id, const char *name);

/* The name of a container, as above; "": it is not known. */
const char *red_container_name(struct red *red, uint64_t id);

/*
 * The gauge of open requests, of those that count open requests together: from all cells of an
 * engine. To be called when somebody is about to read the registry.
 */
void red_active(struct red *red, const struct active *cells, size_t count);

/* ctx is the struct red. The second is for one with exemplars. */
extern const struct txn_sink red_sink;
extern const struct txn_sink red_exemplars_sink;

#define RED_ERROR_SIZE 8

/*
 * What `error_type` is; buf is scratch, RED_ERROR_SIZE bytes, and the answer if that is a status in
 * digits. Never NULL. In the metrics, status_labels.h bounds those.
 */
const char *red_error_type(const struct transaction *t, char *buf);

#endif
