/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metrics/duration.h"
#include "metrics/subject.h"
#include "proto/grpc.h"
#include "txn/label_values.h"

#define CELLS	     128u /* twice the methods of a usual service, times its statuses */
#define PORT_SIZE    8
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SYSTEM "grpc"

static const char *const duration_labels[] = {
	"container",  "rpc_system_name", "rpc_method",	"rpc_status_code",
	"error_type", "server_address",	 "server_port",
};
#define SERVER_LABELS 5
#define CLIENT_LABELS 7
static const char *const method_labels[] = {"container", "role", "rpc_method"};
static const char *const message_labels[] = {"container", "role", "rpc_method", "direction"};
static const char *const directions[] = {"request", "response"};

static const struct family_desc server_desc = {
	.name = "rpc_server_call_duration_seconds",
	.help = "Time from the first header of a call received to the end of its response sent.",
	.type = METRIC_HISTOGRAM,
	.label_names = duration_labels,
	.label_count = SERVER_LABELS,
	.bounds = duration_bounds,
	.bound_count = DURATION_BOUNDS,
};

static const struct family_desc client_desc = {
	.name = "rpc_client_call_duration_seconds",
	.help = "Time from the first header of a call sent to the end of its response received.",
	.type = METRIC_HISTOGRAM,
	.label_names = duration_labels,
	.label_count = CLIENT_LABELS,
	.bounds = duration_bounds,
	.bound_count = DURATION_BOUNDS,
};

static const struct family_desc open_desc = {
	.name = "sidelight_rpc_open_calls",
	.help = "Calls that have begun and not ended.",
	.type = METRIC_GAUGE,
	.label_names = method_labels,
	.label_count = COUNT(method_labels),
};

static const struct family_desc messages_desc = {
	.name = "sidelight_rpc_messages_total",
	.help = "Messages of calls that have ended.",
	.type = METRIC_COUNTER,
	.label_names = message_labels,
	.label_count = COUNT(message_labels),
};

static const struct family_desc uncounted_desc = {
	.name = "sidelight_rpc_messages_uncounted_total",
	.help = "Calls that had more messages than could be counted.",
	.type = METRIC_COUNTER,
	.label_names = method_labels,
	.label_count = COUNT(method_labels),
};

static const struct family_desc timeout_desc = {
	.name = "sidelight_rpc_calls_with_timeout_total",
	.help = "Calls whose caller gave a timeout, of those that have ended.",
	.type = METRIC_COUNTER,
	.label_names = method_labels,
	.label_count = COUNT(method_labels),
};

/* What the labels of a call follow from, and the series that have them. */
struct cell {
	const char *method; /* NULL: empty */
	uint64_t rest; /* role, error, status, server_port */
	uint64_t container;
	const char *server_address;
	struct histogram *duration;
	struct series *messages[2];
	struct series *timeout; /* NULL: not looked up yet */
};

struct rpc {
	struct status_labels *statuses;
	rpc_name_fn name;
	void *name_ctx;
	struct family *server;
	struct family *client;
	struct family *open;
	struct family *messages;
	struct family *uncounted;
	struct family *timeout;
	struct cell cells[CELLS];
	struct cell unremembered; /* of one call */
};

struct rpc *rpc_new(struct registry *r, struct status_labels *statuses, rpc_name_fn name, void *ctx)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));

	if (!rpc)
		return NULL;
	rpc->statuses = statuses;
	rpc->name = name;
	rpc->name_ctx = ctx;
	rpc->server = registry_family(r, &server_desc);
	rpc->client = registry_family(r, &client_desc);
	rpc->open = registry_family(r, &open_desc);
	rpc->messages = registry_family(r, &messages_desc);
	rpc->uncounted = registry_family(r, &uncounted_desc);
	rpc->timeout = registry_family(r, &timeout_desc);
	if (rpc->server && rpc->client && rpc->open && rpc->messages && rpc->uncounted &&
	    rpc->timeout)
		return rpc;
	rpc_free(rpc);
	return NULL;
}

void rpc_free(struct rpc *rpc)
{
	free(rpc);
}

const char *rpc_error_type(const struct transaction *t, char *buf)
{
	bool is_error = t->role == ROLE_CLIENT
				? t->grpc.status != GRPC_OK && t->grpc.status != GRPC_STATUS_HIDDEN
				: grpc_is_server_error(t->grpc.status);

	if (t->error == TXN_CLOSED || t->error == TXN_RESET)
		return txn_error_name(t->error);
	return is_error ? grpc_status_name(t->grpc.status, buf) : "";
}

static const char *role_name(enum role role)
{
	return role == ROLE_CLIENT ? "client" : "server";
}

/* As rpc_error_type(), but a status is what its own label has. */
static const char *error_label(const struct transaction *t, const char *status)
{
	char digits[GRPC_STATUS_SIZE];
	const char *error = rpc_error_type(t, digits);

	return error == digits ? status : error;
}

/* Returns the cell to use: another one if the next call like t has to be looked up again. */
static __attribute__((cold, noinline)) struct cell *fill(struct rpc *rpc, struct cell *cell,
							 const struct transaction *t)
{
	const char *container = rpc->name(rpc->name_ctx, t->container);
	struct family *family = t->role == ROLE_CLIENT ? rpc->client : rpc->server;
	uint64_t subject = subject_key(container, t);
	char digits[STATUS_LABEL_SIZE];
	const char *status = status_labels_find(rpc->statuses, t, digits);
	char port[PORT_SIZE] = "";
	const char *values[] = {
		container,	   SYSTEM, t->route, status, error_label(t, status),
		t->server_address, port,
	};

	if (t->server_port && t->server_address != label_other)
		(void)snprintf(port, sizeof(port), "%u", t->server_port);
	if (status == label_other)
		cell = &rpc->unremembered;
	cell->timeout = NULL;
	cell->duration = family_series_about(family, values, subject)->histogram;
	for (int i = 0; i < 2; i++) {
		const char *words[] = {container, role_name(t->role), t->route, directions[i]};

		cell->messages[i] = family_series(rpc->messages, words);
	}
	return cell;
}

/* One more, in a family of method_labels. */
static struct series *count(struct rpc *rpc, struct family *family, const struct transaction *t)
{
	const char *words[] = {rpc->name(rpc->name_ctx, t->container), role_name(t->role),
			       t->route};
	struct series *s = family_series(family, words);

	series_add(s, 1);
	return s;
}

void rpc_done(struct rpc *rpc, const struct transaction *t)
{
	uint64_t ns = t->end_ns > t->start_ns ? t->end_ns - t->start_ns : 0;
	uint64_t rest = (uint64_t)t->role << 48 | (uint64_t)t->error << 40 |
			(uint64_t)t->grpc.status << 16 | t->server_port;
	struct cell *cell = &rpc->cells[hash_mix((uintptr_t)t->route ^ t->container << 48,
						 rest ^ (uintptr_t)t->server_address) %
					CELLS];

	if (cell->method != t->route || cell->rest != rest || cell->container != t->container ||
	    cell->server_address != t->server_address) {
		cell = fill(rpc, cell, t);
		cell->method = t->route;
		cell->rest = rest;
		cell->container = t->container;
		cell->server_address = t->server_address;
	}
	histogram_add(cell->duration, duration_bucket(ns), (double)ns / 1e9);
	for (int i = 0; i < 2; i++)
		series_add(cell->messages[i], t->grpc.messages[i]);
	if (t->grpc.timeout_ns && cell->timeout)
		series_add(cell->timeout, 1);
	else if (t->grpc.timeout_ns)
		cell->timeout = count(rpc, rpc->timeout, t);
	if (t->grpc.has_uncounted)
		(void)count(rpc, rpc->uncounted, t); /* rare: not remembered */
}

void rpc_forget(struct rpc *rpc)
{
	memset(rpc->cells, 0, sizeof(rpc->cells));
}

void rpc_active_clear(struct rpc *rpc)
{
	family_clear(rpc->open);
}

void rpc_active(struct rpc *rpc, const struct active *a)
{
	const char *words[] = {rpc->name(rpc->name_ctx, a->container), role_name(a->role),
			       a->known_method};

	series_add(family_series(rpc->open, words), (double)a->count);
}
