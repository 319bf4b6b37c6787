/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metrics/duration.h"
#include "metrics/exemplars.h"
#include "metrics/process_labels.h"
#include "metrics/subject.h"
#include "proto/grpc.h"
#include "txn/label_values.h"

#define CELLS	     128u /* twice the methods of a usual service, times its statuses */
#define PORT_SIZE    8
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SYSTEM "grpc"

/* The first two only if they are wanted. */
static const char *const all_labels[] = {
	"process_name",	   "process_pid", "container",	    "rpc_system_name", "rpc_method",
	"rpc_status_code", "error_type",  "server_address", "server_port",
};
#define PROCESS_LABELS 2
#define SERVER_LABELS  5 /* without these, as the next */
#define CLIENT_LABELS  7
static const char *const method_labels[] = {"container", "role", "rpc_method"};
static const char *const message_labels[] = {"container", "role", "rpc_method", "direction"};
static const char *const directions[] = {"request", "response"};

/* The bounds of these two are those that rpc_new() is given. */
static const struct family_desc server_desc = {
	.name = "rpc_server_call_duration_seconds",
	.help = "Time from the first header of a call received to the end of its response sent.",
	.type = METRIC_HISTOGRAM,
	.label_names = all_labels + PROCESS_LABELS,
	.label_count = SERVER_LABELS,
};

static const struct family_desc client_desc = {
	.name = "rpc_client_call_duration_seconds",
	.help = "Time from the first header of a call sent to the end of its response received.",
	.type = METRIC_HISTOGRAM,
	.label_names = all_labels + PROCESS_LABELS,
	.label_count = CLIENT_LABELS,
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
	uint64_t rest; /* process, role, error, status, server_port */
	uint64_t container;
	const char *server_address;
	struct histogram *duration;
	struct series *messages[2];
	struct series *timeout; /* NULL: not looked up yet */
};

struct rpc {
	struct rpc_options o;
	const struct registry *registry;
	bool foresees_errors;
	struct family *server;
	struct family *client;
	struct family *open;
	struct family *messages;
	struct family *uncounted;
	struct family *timeout;
	struct cell cells[CELLS];
	struct cell unremembered; /* of one call */
};

static struct family *call_family(struct registry *r, const struct rpc_options *o,
				  const struct family_desc *desc)
{
	struct family_desc f = duration_family(desc, o->durations);

	if (o->processes) {
		f.label_names -= PROCESS_LABELS;
		f.label_count += PROCESS_LABELS;
	}
	return registry_family(r, &f);
}

struct rpc *rpc_new(struct registry *r, const struct rpc_options *options)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));

	if (!rpc)
		return NULL;
	rpc->o = *options;
	rpc->registry = r;
	rpc->server = call_family(r, options, &server_desc);
	rpc->client = call_family(r, options, &client_desc);
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

void rpc_foresee_errors(struct rpc *rpc)
{
	rpc->foresees_errors = true;
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

/* What a method gives whose program fails in it. */
static void foresee_error(struct family *f, const char **values, size_t first,
			  const char *container, const struct transaction *t)
{
	struct transaction failed = *t;

	failed.grpc.status = GRPC_UNKNOWN;
	values[first + 3] = values[first + 4] = "UNKNOWN";
	(void)family_series_about(f, values, subject_key(container, &failed));
}

/* Returns the cell to use: another one if the next call like t has to be looked up again. */
static __attribute__((cold, noinline)) struct cell *
fill(struct rpc *rpc, struct cell *cell, const struct transaction *t, unsigned process)
{
	const char *container = rpc->o.name(rpc->o.ctx, t->container);
	struct family *family = t->role == ROLE_CLIENT ? rpc->client : rpc->server;
	uint64_t subject = subject_key(container, t);
	char digits[STATUS_LABEL_SIZE];
	const char *status = status_labels_find(rpc->o.statuses, t, digits);
	char port[PORT_SIZE] = "";
	const struct process_label *label =
		rpc->o.processes ? process_labels_at(rpc->o.processes, process) : NULL;
	const char *all[] = {
		label ? label->name : "",
		label ? label->pid : "",
		container,
		SYSTEM,
		t->route,
		status,
		error_label(t, status),
		t->server_address,
		port,
	};
	const char **values = all + (label ? 0 : PROCESS_LABELS);

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
	if (rpc->foresees_errors && subject_is_served(t) && t->route != label_other &&
	    t->route != txn_unknown && registry_has_room(rpc->registry))
		foresee_error(family, values, label ? PROCESS_LABELS : 0, container, t);
	return cell;
}

/* One more, in a family of method_labels. */
static struct series *count(struct rpc *rpc, struct family *family, const struct transaction *t)
{
	const char *words[] = {rpc->o.name(rpc->o.ctx, t->container), role_name(t->role), t->route};
	struct series *s = family_series(family, words);

	series_add(s, 1);
	return s;
}

void rpc_done(struct rpc *rpc, const struct transaction *t)
{
	uint64_t ns = t->end_ns > t->start_ns ? t->end_ns - t->start_ns : 0;
	uint64_t rest = (uint64_t)t->role << 48 | (uint64_t)t->error << 40 |
			(uint64_t)t->grpc.status << 16 | t->server_port;
	unsigned process = 0;
	struct cell *cell;
	size_t bucket;

	if (rpc->o.processes) {
		process = process_labels_find(rpc->o.processes, t->tgid);
		rest |= (uint64_t)process << 50;
	}
	cell = &rpc->cells[hash_mix((uintptr_t)t->route ^ t->container << 48,
				    rest ^ (uintptr_t)t->server_address) %
			   CELLS];
	if (cell->method != t->route || cell->rest != rest || cell->container != t->container ||
	    cell->server_address != t->server_address) {
		cell = fill(rpc, cell, t, process);
		cell->method = t->route;
		cell->rest = rest;
		cell->container = t->container;
		cell->server_address = t->server_address;
	}
	bucket = duration_bucket(rpc->o.durations, ns);
	histogram_add(cell->duration, bucket, (double)ns / 1e9);
	exemplars_observe(rpc->o.exemplars, cell->duration, bucket, t);
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
	const char *words[] = {rpc->o.name(rpc->o.ctx, a->container), role_name(a->role),
			       a->known_method};

	series_add(family_series(rpc->open, words), (double)a->count);
}
