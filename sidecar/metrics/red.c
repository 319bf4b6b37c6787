/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/red.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "metrics/duration.h"
#include "metrics/exemplars.h"
#include "metrics/process_labels.h"
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

/* The first two only if they are wanted. */
static const char *const all_labels[] = {
	"process_name", "process_pid",
	"container",	"http_request_method",
	"http_route",	"http_response_status_code",
	"url_scheme",	"network_protocol_version",
	"error_type",	"server_address",
	"server_port",
};
#define PROCESS_LABELS 2
#define SERVER_LABELS  7 /* without these, as the next */
#define CLIENT_LABELS  9
static const char *const active_labels[] = {"container", "http_request_method", "url_scheme"};
static const char *const probe_labels[] = {"container", "http_route", "http_response_status_code",
					   "error_type"};

static const char *scheme_of(bool is_tls)
{
	return is_tls ? "https" : "http";
}

enum { DURATION, REQUEST_SIZE, RESPONSE_SIZE, SHAPES };

#define HISTOGRAM(name_, help_, labels_)                                                           \
	{                                                                                          \
		.name = name_, .help = help_, .type = METRIC_HISTOGRAM,                            \
		.label_names = all_labels + PROCESS_LABELS, .label_count = labels_,                \
		.bounds = bytes_bounds, .bound_count = COUNT(bytes_bounds),                        \
	}

/* Durations have their own bounds. */
static const struct family_desc server_descs[SHAPES] = {
	[DURATION] = HISTOGRAM("http_server_request_duration_seconds",
			       "Time from the first byte of a request received to the last byte of "
			       "its response sent.",
			       SERVER_LABELS),
	[REQUEST_SIZE] =
		HISTOGRAM("http_server_request_body_size_bytes",
			  "Bytes of request bodies received, as on the wire.", SERVER_LABELS),
	[RESPONSE_SIZE] =
		HISTOGRAM("http_server_response_body_size_bytes",
			  "Bytes of response bodies sent, as on the wire.", SERVER_LABELS),
};

static const struct family_desc client_descs[SHAPES] = {
	[DURATION] = HISTOGRAM("http_client_request_duration_seconds",
			       "Time from the first byte of a request sent to the last byte of its "
			       "response received.",
			       CLIENT_LABELS),
	[REQUEST_SIZE] = HISTOGRAM("http_client_request_body_size_bytes",
				   "Bytes of request bodies sent, as on the wire.", CLIENT_LABELS),
	[RESPONSE_SIZE] =
		HISTOGRAM("http_client_response_body_size_bytes",
			  "Bytes of response bodies received, as on the wire.", CLIENT_LABELS),
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
	uint64_t rest; /* process, TLS, role, version, error, status, server_port */
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
	const struct duration_buckets *durations;
	const struct registry *registry;
	bool foresees_errors;
	struct family *server[SHAPES];
	struct family *client[SHAPES];
	struct family *active;
	struct family *probe;
	struct status_labels *statuses;
	struct exemplars *exemplars; /* NULL: none */
	struct process_labels *processes; /* NULL: no label says them */
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

static struct family *shape_family(struct registry *r, const struct red *red,
				   const struct family_desc *desc, size_t shape)
{
	struct family_desc f = shape == DURATION ? duration_family(desc, red->durations) : *desc;

	if (red->processes) {
		f.label_names -= PROCESS_LABELS;
		f.label_count += PROCESS_LABELS;
	}
	return registry_family(r, &f);
}

struct red *red_new(struct registry *r, const struct red_options *options)
{
	size_t shapes = options->wants_body_sizes ? SHAPES : 1;
	struct red *red = calloc(1, sizeof(*red));

	if (!red)
		return NULL;
	red->registry = r;
	red->foresees_errors = options->foresees_errors;
	red->processes = options->processes;
	red->durations = options->durations ? options->durations : &duration_buckets_default;
	for (size_t i = 0; i < shapes; i++) {
		red->server[i] = shape_family(r, red, &server_descs[i], i);
		red->client[i] = shape_family(r, red, &client_descs[i], i);
		if (!red->server[i] || !red->client[i])
			goto fail;
	}
	red->exemplars = options->exemplars;
	red->active = registry_family(r, &active_desc);
	red->probe = registry_family(r, &probe_desc);
	red->statuses = status_labels_new(r);
	if (!red->active || !red->probe || !red->statuses)
		goto fail;
	red->rpc = rpc_new(r, &(struct rpc_options){.statuses = red->statuses,
						    .durations = red->durations,
						    .exemplars = red->exemplars,
						    .processes = red->processes,
						    .name = name_of,
						    .ctx = red});
	if (red->rpc && red->foresees_errors)
		rpc_foresee_errors(red->rpc);
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

static bool foresees_error(const struct red *red, const struct transaction *t)
{
	return red->foresees_errors && subject_is_served(t) && t->route != label_other &&
	       t->route != txn_unknown && registry_has_room(red->registry);
}

/* The series of a status that has not come. */
static void foresee_error(struct family *f, const char *const *values, const char *container,
			  const struct transaction *t, uint16_t status)
{
	struct transaction failed = *t;

	failed.http.status = status;
	(void)family_series_about(f, values, subject_key(container, &failed));
}

static cold void probe_done(struct red *red, const struct transaction *t)
{
	char digits[STATUS_LABEL_SIZE];
	const char *status = status_labels_find(red->statuses, t, digits);
	const char *container = red_container_name(red, t->container);
	const char *values[] = {container, t->route, status, error_label(t, status)};

	series_add(family_series_about(red->probe, values, subject_key(container, t)), 1);
	if (!foresees_error(red, t))
		return;
	values[2] = values[3] = "503";
	foresee_error(red->probe, values, container, t, 503);
}

/* Returns the cell to use: another one if the next request like t has to be looked up again. */
static cold struct cell *cell_fill(struct red *red, struct cell *cell, const struct transaction *t,
				   unsigned process)
{
	static const char *const versions[] = {
		[HTTP_1_0] = "1.0", [HTTP_1_1] = "1.1", [HTTP_2] = "2"};
	struct family *const *families = t->role == ROLE_CLIENT ? red->client : red->server;
	char digits[STATUS_LABEL_SIZE];
	const char *status = status_labels_find(red->statuses, t, digits);
	const char *container = red_container_name(red, t->container);
	uint64_t subject = subject_key(container, t);
	char port[PORT_SIZE] = "";
	const struct process_label *label =
		red->processes ? process_labels_at(red->processes, process) : NULL;
	const char *all[] = {
		label ? label->name : "",
		label ? label->pid : "",
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
	const char **values = all + (label ? 0 : PROCESS_LABELS);

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
	if (foresees_error(red, t)) {
		all[PROCESS_LABELS + 3] = all[PROCESS_LABELS + 6] = "500";
		foresee_error(families[DURATION], values, container, t, 500);
	}
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
	unsigned process = 0;
	struct cell *cell;
	size_t bucket;

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
	if (red->processes) {
		process = process_labels_find(red->processes, t->tgid);
		rest |= (uint64_t)process << 50;
	}
	cell = &red->cells[hash_mix(a, rest ^ (uintptr_t)t->known_method) % CELLS];
	if (cell->route != t->route || cell->rest != rest || cell->method != t->known_method ||
	    cell->container != t->container || cell->server_address != address) {
		cell = cell_fill(red, cell, t, process);
		cell->server_address = address;
		cell->rest = rest;
	}
	bucket = duration_bucket(red->durations, ns);
	histogram_add(cell->shape[DURATION], bucket, (double)ns / 1e9);
	exemplars_observe(red->exemplars, cell->shape[DURATION], bucket, t);
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
const struct txn_sink red_exemplars_sink = {.needs = TXN_NEED_TRACE, .done = red_done};
