/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/red.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metrics/duration.h"
#include "metrics/rpc.h"
#include "metrics/status_labels.h"
#include "metrics/subject.h"
#include "txn/label_values.h"

#define CONTAINERS_MAX 64
#define CELLS	       256u /* 16 KiB: twice the routes of a usual Pod, times its statuses */
#define PORT_SIZE      8 /* "65535" */

/* Out of line, so that the usual path saves no registers for it. */
#define cold __attribute__((cold, noinline))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const double bytes_bounds[] = {64,     256,     1024,	4096,	  16384,    65536,
				      262144, 1048576, 4194304, 16777216, 67108864, 268435456};

static const char *const duration_labels[] = {
	"container",   "http_request_method",	   "http_route", "http_response_status_code",
	"url_scheme",  "network_protocol_version", "error_type", "server_address",
	"server_port",
};
#define SERVER_LABELS 7
#define CLIENT_LABELS 9
static const char *const active_labels[] = {"container", "http_request_method", "url_scheme"};
static const char *const probe_labels[] = {"container", "http_route", "http_response_status_code",
					   "error_type"};

static const char *scheme_of(bool is_tls)
{
	return is_tls ? "https" : "http";
}

enum { DURATION, REQUEST_SIZE, RESPONSE_SIZE, SHAPES };

#define HISTOGRAM(name_, help_, labels_, bounds_)                                                  \
	{                                                                                          \
		.name = name_, .help = help_, .type = METRIC_HISTOGRAM,                            \
		.label_names = duration_labels, .label_count = labels_, .bounds = bounds_,         \
		.bound_count = COUNT(bounds_),                                                     \
	}

static const struct family_desc server_descs[SHAPES] = {
	[DURATION] = HISTOGRAM("http_server_request_duration_seconds",
			       "Time from the first byte of a request received to the last byte of "
			       "its response sent.",
			       SERVER_LABELS, duration_bounds),
	[REQUEST_SIZE] = HISTOGRAM("http_server_request_body_size_bytes",
				   "Bytes of request bodies received, as on the wire.",
				   SERVER_LABELS, bytes_bounds),
	[RESPONSE_SIZE] = HISTOGRAM("http_server_response_body_size_bytes",
				    "Bytes of response bodies sent, as on the wire.", SERVER_LABELS,
				    bytes_bounds),
};

static const struct family_desc client_descs[SHAPES] = {
	[DURATION] = HISTOGRAM("http_client_request_duration_seconds",
			       "Time from the first byte of a request sent to the last byte of its "
			       "response received.",
			       CLIENT_LABELS, duration_bounds),
	[REQUEST_SIZE] = HISTOGRAM("http_client_request_body_size_bytes",
				   "Bytes of request bodies sent, as on the wire.", CLIENT_LABELS,
				   bytes_bounds),
	[RESPONSE_SIZE] = HISTOGRAM("http_client_response_body_size_bytes",
				    "Bytes of response bodies received, as on the wire.",
				    CLIENT_LABELS, bytes_bounds),
};

static const struct family_desc active_desc = {
	.name = "http_server_active_requests",
	.help = "Requests that were received and not yet answered.",
	.type = METRIC_GAUGE,
	.label_names = active_labels,
	.label_count = COUNT(active_labels),
};

static const struct family_desc probe_desc = {
	.name = "sidelight_probe_requests_total",
	.help = "Health checks of the kubelet; they are in no other metric.",
	.type = METRIC_COUNTER,
	.label_names = probe_labels,
	.label_count = COUNT(probe_labels),
};

/* What the labels of a transaction follow from, and the series that has them. */
struct cell {
	const char *route; /* NULL: empty */
	uint64_t rest; /* role, TLS, version, error, status, server_port */
	const char *method;
	uint64_t container;
	const char *server_address;
	struct histogram *shape[SHAPES]; /* sizes NULL: not wanted */
};

struct container {
	uint64_t id;
	char *name; /* NULL: free */
	uint64_t named_at; /* value of red.namings when it was named last */
};

struct red {
	struct family *server[SHAPES];
	struct family *client[SHAPES];
	struct family *active;
	struct family *probe;
	struct status_labels *statuses;
	struct rpc *rpc;
	struct container containers[CONTAINERS_MAX];
	uint64_t namings;
	struct cell cells[CELLS];
	struct cell unremembered; /* of one request */
};

static struct container *container_find(struct red *red, uint64_t id)
{
	for (size_t i = 0; i < CONTAINERS_MAX; i++)
		if (red->containers[i].name && red->containers[i].id == id)
			return &red->containers[i];
	return NULL;
}

const char *red_container_name(struct red *red, uint64_t id)
{
	const struct container *c = container_find(red, id);

	return c ? c->name : "";
}

static const char *name_of(void *ctx, uint64_t container)
{
	return red_container_name(ctx, container);
}

struct red *red_new(struct registry *r, const struct red_options *options)
{
	size_t shapes = options->wants_body_sizes ? SHAPES : 1;
	struct red *red = calloc(1, sizeof(*red));

	if (!red)
		return NULL;
	for (size_t i = 0; i < shapes; i++) {
		red->server[i] = registry_family(r, &server_descs[i]);
		red->client[i] = registry_family(r, &client_descs[i]);
		if (!red->server[i] || !red->client[i])
			goto fail;
	}
	red->active = registry_family(r, &active_desc);
	red->probe = registry_family(r, &probe_desc);
	red->statuses = status_labels_new(r);
	if (!red->active || !red->probe || !red->statuses)
		goto fail;
	red->rpc = rpc_new(r, red->statuses, name_of, red);
	if (red->rpc)
		return red;
fail:
	red_free(red);
	return NULL;
}

void red_free(struct red *red)
{
	if (!red)
		return;
	for (size_t i = 0; i < CONTAINERS_MAX; i++)
		free(red->containers[i].name);
	rpc_free(red->rpc);
	status_labels_free(red->statuses);
	free(red);
}

/* The one named longest ago is replaced: those that are watched are named again and again. */
static struct container *container_slot(struct red *red)
{
	struct container *oldest = &red->containers[0];

	for (size_t i = 0; i < CONTAINERS_MAX; i++) {
		if (!red->containers[i].name)
			return &red->containers[i];
		if (red->containers[i].named_at < oldest->named_at)
			oldest = &red->containers[i];
	}
	return oldest;
}

int red_container(struct red *red, uint64_t id, const char *name)
{
	struct container *c = container_find(red, id);
	char *copy;

	if (c && name && strcmp(c->name, name) == 0) {
		c->named_at = ++red->namings;
		return 0;
	}
	copy = name ? strdup(name) : NULL;
	if (name && !copy)
		return -ENOMEM;
	if (!c)
		c = container_slot(red);
	free(c->name);
	*c = (struct container){.id = id, .name = copy, .named_at = ++red->namings};
	/* The cache holds series by the old name. */
	memset(red->cells, 0, sizeof(red->cells));
	rpc_forget(red->rpc);
	return 0;
}

const char *red_error_type(const struct transaction *t, char *buf)
{
	if (t->protocol == TXN_GRPC)
		return rpc_error_type(t, buf);
	if (t->http.status >= (t->role == ROLE_CLIENT ? 400 : 500)) {
		(void)snprintf(buf, RED_ERROR_SIZE, "%u", t->http.status); /* five digits */
		return buf;
	}
	return txn_error_name(t->error);
}

/* As red_error_type(), but a status is what its own label has. */
static const char *error_label(const struct transaction *t, const char *status)
{
	char digits[RED_ERROR_SIZE];
	const char *error = red_error_type(t, digits);

	return error == digits ? status : error;
}

static cold void probe_done(struct red *red, const struct transaction *t)
{
	char digits[STATUS_LABEL_SIZE];
	const char *status = status_labels_find(red->statuses, t, digits);
	const char *container = red_container_name(red, t->container);
	const char *values[] = {container, t->route, status, error_label(t, status)};

	series_add(family_series_about(red->probe, values, subject_key(container, t)), 1);
}

/* Returns the cell to use: another one if the next request like t has to be looked up again. */
static cold struct cell *cell_fill(struct red *red, struct cell *cell, const struct transaction *t)
{
	static const char *const versions[] = {
		[HTTP_1_0] = "1.0", [HTTP_1_1] = "1.1", [HTTP_2] = "2"};
	struct family *const *families = t->role == ROLE_CLIENT ? red->client : red->server;
	char digits[STATUS_LABEL_SIZE];
	const char *status = status_labels_find(red->statuses, t, digits);
	const char *container = red_container_name(red, t->container);
	uint64_t subject = subject_key(container, t);
	char port[PORT_SIZE] = "";
	const char *values[] = {
		container,
		t->known_method,
		t->route,
		status,
		scheme_of(t->is_tls),
		versions[t->http.version],
		error_label(t, status),
		t->server_address,
		port,
	};

	if (status == label_other)
		cell = &red->unremembered;
	cell->route = t->route;
	cell->method = t->known_method;
	cell->container = t->container;
	if (t->server_port && t->server_address != label_other)
		(void)snprintf(port, sizeof(port), "%u", t->server_port);
	for (size_t i = 0; i < SHAPES; i++)
		cell->shape[i] =
			families[i] ? family_series_about(families[i], values, subject)->histogram
				    : NULL;
	return cell;
}

static size_t bytes_bucket(uint64_t bytes)
{
	size_t i = 0;

	while (i < COUNT(bytes_bounds) && (double)bytes > bytes_bounds[i])
		i++;
	return i;
}

static void sizes_add(const struct cell *cell, const struct transaction *t)
{
	histogram_add(cell->shape[REQUEST_SIZE], bytes_bucket(t->request_bytes),
		      (double)t->request_bytes);
	histogram_add(cell->shape[RESPONSE_SIZE], bytes_bucket(t->response_bytes),
		      (double)t->response_bytes);
}

static void red_done(void *ctx, const struct transaction *t)
{
	struct red *red = ctx;
	uint64_t ns = t->end_ns > t->start_ns ? t->end_ns - t->start_ns : 0;
	/* Of a server's transactions the address is no label, so it is not part of the key. */
	const char *address = NULL;
	uint64_t rest = (uint64_t)t->is_tls << 49 | (uint64_t)t->http.version << 40 |
			(uint64_t)t->error << 32 | (uint64_t)t->http.status << 16;
	uint64_t a = (uintptr_t)t->route ^ t->container << 48;
	struct cell *cell;

	if (t->is_probe || t->protocol != TXN_HTTP) {
		if (t->is_probe)
			probe_done(red, t);
		else if (t->protocol == TXN_GRPC)
			rpc_done(red->rpc, t);
		return;
	}
	if (t->role == ROLE_CLIENT) {
		address = t->server_address;
		rest |= UINT64_C(1) << 48 | t->server_port;
		a ^= (uint64_t)(uintptr_t)address << 24;
	}
	cell = &red->cells[hash_mix(a, rest ^ (uintptr_t)t->known_method) % CELLS];
	if (cell->route != t->route || cell->rest != rest || cell->method != t->known_method ||
	    cell->container != t->container || cell->server_address != address) {
		cell = cell_fill(red, cell, t);
		cell->server_address = address;
		cell->rest = rest;
	}
	histogram_add(cell->shape[DURATION], duration_bucket(ns), (double)ns / 1e9);
	if (cell->shape[REQUEST_SIZE])
		sizes_add(cell, t);
}

void red_active(struct red *red, const struct active *cells, size_t count)
{
	family_clear(red->active);
	rpc_active_clear(red->rpc);
	for (size_t i = 0; i < count; i++) {
		const struct active *a = &cells[i];
		const char *values[] = {red_container_name(red, a->container), a->known_method,
					scheme_of(a->is_tls)};

		if (a->known_method && a->is_rpc)
			rpc_active(red->rpc, a);
		else if (a->known_method && a->role == ROLE_SERVER)
			series_add(family_series(red->active, values), (double)a->count);
	}
}

const struct txn_sink red_sink = {.done = red_done};
