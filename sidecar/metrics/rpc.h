/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of gRPC into RED metrics, as red.h does with requests of HTTP: its files are one sink.
 *
 * `error_type` is how the connection failed, else the status by its name if it is an error (client:
 * all but OK; server: those that are the server's own fault), else empty.
 */
#ifndef SIDELIGHT_METRICS_RPC_H
#define SIDELIGHT_METRICS_RPC_H

#include <stddef.h>
#include <stdint.h>

#include "metrics/duration.h"
#include "metrics/registry.h"
#include "metrics/status_labels.h"
#include "txn/active.h"
#include "txn/transaction.h"

struct rpc;

/* The name of a container, as its series carry it. */
typedef const char *(*rpc_name_fn)(void *ctx, uint64_t container);

struct exemplars;
struct process_labels;

/* All of these must outlive what is made of them. */
struct rpc_options {
	struct status_labels *statuses;
	const struct duration_buckets *durations;
	struct exemplars *exemplars; /* NULL: none */
	struct process_labels *processes; /* NULL: families have no labels of them */
	rpc_name_fn name;
	void *ctx;
};

/* Adds its families to r, which must outlive it. NULL: no memory. */
struct rpc *rpc_new(struct registry *r, const struct rpc_options *options);
/* As red_options.foresees_errors. */
void rpc_foresee_errors(struct rpc *rpc);
/* Accepts NULL. */
void rpc_free(struct rpc *rpc);

/* t is of TXN_GRPC. */
void rpc_done(struct rpc *rpc, const struct transaction *t);
/* Names of containers have changed. */
void rpc_forget(struct rpc *rpc);

/* The gauge of open calls: once rpc_active_clear(), then each of them. */
void rpc_active_clear(struct rpc *rpc);
void rpc_active(struct rpc *rpc, const struct active *a);

/*
 * What `error_type` is; buf is scratch, GRPC_STATUS_SIZE bytes, and the answer if that is a status
 * in digits. Never NULL. In the metrics, status_labels.h bounds those.
 */
const char *rpc_error_type(const struct transaction *t, char *buf);

#endif
