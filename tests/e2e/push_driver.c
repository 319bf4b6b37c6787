/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics and exporters without a kernel: made-up transactions go through the
 * real sinks, registry, push and scrape, so that tests of those need no
 * privileges and know every number.
 *
 * Flags are those of the table below. Lines on standard input:
 *     feed N    N requests to each of: GET /ok 200 (2 ms), GET /slow/{id} 200
 *               (300 ms), POST /fail 503 (20 ms)
 *     mix N     N requests of a client, N calls of gRPC in each role and N health checks, of
 *               another container; N requests are open
 *     last NS   100 requests to GET /last 200 that last so long, in nanoseconds
 *     widen N   one request to each of N more routes, whose names are long
 *     unready   /readyz says no from now on
 * Lines on standard output: `port N` (of --listen), `fed N`, `mixed N`, `lasted NS`, `widened N`,
 * `unready`.
 * SIGTERM and the end of standard input stop it as they stop the program.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "export/otlp.h"
#include "export/push.h"
#include "export/scrape.h"
#include "metrics/otlp_metrics.h"
#include "metrics/red.h"
#include "metrics/self_metrics.h"

#define LABELS_MAX 8
#define SERIES_MAX 2500

static struct {
	struct registry *registry;
	struct red *red;
	struct self_metrics *self;
	struct push *push;
	struct otlp *otlp;
	struct otlp_metrics *otlp_metrics;
	struct scrape *scrape;
	uv_signal_t sigterm;
	uv_poll_t input;
	uint64_t stop_ms;
	bool is_stopping;
	bool is_unready;
} the;

static void feed(long n)
{
	static const struct {
		const char *method;
		const char *route;
		uint16_t status;
		uint64_t ns;
	} mix[] = {{"GET", "/ok", 200, 2000000},
		   {"GET", "/slow/{id}", 200, 300000000},
		   {"POST", "/fail", 503, 20000000}};

	for (long i = 0; i < n; i++) {
		for (size_t m = 0; m < sizeof(mix) / sizeof(mix[0]); m++) {
			const struct transaction t = {
				.role = ROLE_SERVER,
				.container = 1,
				.known_method = mix[m].method,
				.route = mix[m].route,
				.server_address = "",
				.http = {.version = HTTP_1_1, .status = mix[m].status},
				.end_ns = mix[m].ns,
			};

			red_sink.done(the.red, &t);
		}
	}
}

static void mix(long n)
{
	const struct transaction all[] = {
		{.role = ROLE_CLIENT,
		 .known_method = "GET",
		 .route = "/prices/{id}",
		 .server_address = "api.example",
		 .server_port = 8080,
		 .http = {.version = HTTP_2, .status = 200},
		 .request_bytes = 100,
		 .response_bytes = 5000,
		 .end_ns = 700000},
		{.role = ROLE_CLIENT,
		 .known_method = "GET",
		 .route = "/prices/{id}",
		 .server_address = "api.example",
		 .error = TXN_RESET,
		 .http = {.version = HTTP_1_1},
		 .end_ns = 20000000000},
		{.protocol = TXN_GRPC,
		 .role = ROLE_SERVER,
		 .known_method = txn_grpc,
		 .route = "shop.Cart/Add",
		 .server_address = "",
		 .grpc = {.http = {.version = HTTP_2, .status = 200}, .status = 5},
		 .end_ns = 1300000},
		{.protocol = TXN_GRPC,
		 .role = ROLE_CLIENT,
		 .known_method = txn_grpc,
		 .route = "shop.Cart/Add",
		 .server_address = "cart",
		 .server_port = 50051,
		 .grpc = {.http = {.version = HTTP_2, .status = 200}},
		 .end_ns = 1300000},
		{.role = ROLE_SERVER,
		 .known_method = "GET",
		 .route = "/healthz",
		 .server_address = "",
		 .is_probe = true,
		 .http = {.version = HTTP_1_1, .status = 200}},
	};
	const struct active active = {ROLE_SERVER, 2, "GET", (uint64_t)n, false, false};

	for (long i = 0; i < n; i++) {
		for (size_t m = 0; m < sizeof(all) / sizeof(all[0]); m++) {
			struct transaction t = all[m];

			t.container = 2;
			red_sink.done(the.red, &t);
		}
	}
	red_active(the.red, &active, 1);
}

static void last(long ns)
{
	const struct transaction t = {
		.role = ROLE_SERVER,
		.container = 1,
		.known_method = "GET",
		.route = "/last",
		.server_address = "",
		.http = {.version = HTTP_1_1, .status = 200},
		.end_ns = (uint64_t)ns,
	};

	for (int i = 0; i < 100; i++)
		red_sink.done(the.red, &t);
}

static void widen(long n)
{
	static char routes[SERIES_MAX][80]; /* who counts keeps the address of a route */
	static size_t count;

	for (long i = 0; i < n && count < SERIES_MAX; i++) {
		char *route = routes[count++];
		const struct transaction t = {
			.role = ROLE_SERVER,
			.container = 1,
			.known_method = "GET",
			.route = route,
			.server_address = "",
			.http = {.version = HTTP_1_1, .status = 404},
			.end_ns = 1000000,
		};

		(void)snprintf(route, sizeof(routes[0]), "/%060zu", count);
		red_sink.done(the.red, &t);
	}
}

static void before(void *ctx)
{
	(void)ctx;
	self_metrics_collect(the.self);
	if (the.scrape)
		self_metrics_scrape(the.self, scrape_stats(the.scrape));
	if (the.otlp)
		otlp_metrics_refresh(the.otlp_metrics, otlp_stats(the.otlp));
	self_metrics_refresh(the.self, NULL, the.push ? push_stats(the.push) : NULL);
}

static const char *unready(void *ctx)
{
	(void)ctx;
	return the.is_unready ? "told so" : NULL;
}

/* When each of those that push has pushed for the last time. */
static void close_all(void *ctx)
{
	if (ctx && ctx == the.push) {
		push_close(the.push);
		the.push = NULL;
	} else if (ctx) {
		otlp_close(the.otlp);
		the.otlp = NULL;
	}
	if (the.push || the.otlp)
		return;
	scrape_close(the.scrape);
	uv_close((uv_handle_t *)&the.sigterm, NULL);
	uv_close((uv_handle_t *)&the.input, NULL);
}

static void stop(void)
{
	if (the.is_stopping)
		return;
	the.is_stopping = true;
	if (the.push)
		push_stop(the.push, the.stop_ms, close_all, the.push);
	if (the.otlp)
		otlp_stop(the.otlp, the.stop_ms, close_all, the.otlp);
	if (!the.push && !the.otlp)
		close_all(NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)handle;
	(void)number;
	stop();
}

/* Tests write one line and wait for its answer, so a read is a line. */
static void on_input(uv_poll_t *poll, int status, int events)
{
	char line[64];
	ssize_t n = read(0, line, sizeof(line) - 1);

	(void)status;
	(void)events;
	if (n <= 0) {
		(void)uv_poll_stop(poll);
		stop();
		return;
	}
	line[n] = '\0';
	if (strncmp(line, "feed ", 5) == 0) {
		feed(atol(line + 5));
		(void)printf("fed %ld\n", atol(line + 5));
	} else if (strncmp(line, "mix ", 4) == 0) {
		mix(atol(line + 4));
		(void)printf("mixed %ld\n", atol(line + 4));
	} else if (strncmp(line, "last ", 5) == 0) {
		last(atol(line + 5));
		(void)printf("lasted %ld\n", atol(line + 5));
	} else if (strncmp(line, "widen ", 6) == 0) {
		widen(atol(line + 6));
		(void)printf("widened %ld\n", atol(line + 6));
	} else {
		the.is_unready = true;
		(void)printf("unready\n");
	}
	(void)fflush(stdout);
}

/* name=value */
static void add_label(struct label *labels, size_t *count, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals || *count == LABELS_MAX)
		exit(2);
	*equals = '\0';
	labels[(*count)++] = (struct label){word, equals + 1};
}

int main(int argc, char **argv)
{
	enum {
		PUSH = 1,
		INTERVAL,
		TIMEOUT,
		STOP,
		KEEP,
		CA,
		CERT,
		KEY,
		USER,
		TOKEN,
		GROUP,
		LABEL,
		LISTEN,
		OTLP,
		SIGNAL,
		PLAIN,
		RESOURCE,
		HEADERS,
		HISTOGRAMS
	};
	static const struct option flags[] = {
		{"push", 1, NULL, PUSH},
		{"interval-ms", 1, NULL, INTERVAL},
		{"timeout-ms", 1, NULL, TIMEOUT},
		{"stop-ms", 1, NULL, STOP},
		{"keep", 0, NULL, KEEP},
		{"ca", 1, NULL, CA},
		{"cert", 1, NULL, CERT},
		{"key", 1, NULL, KEY},
		{"user-file", 1, NULL, USER},
		{"token-file", 1, NULL, TOKEN},
		{"group", 1, NULL, GROUP},
		{"label", 1, NULL, LABEL},
		{"listen", 1, NULL, LISTEN},
		{"otlp", 1, NULL, OTLP},
		{"signal", 0, NULL, SIGNAL},
		{"plain", 0, NULL, PLAIN},
		{"resource", 1, NULL, RESOURCE},
		{"headers", 1, NULL, HEADERS},
		{"histograms", 1, NULL, HISTOGRAMS},
		{0},
	};
	static struct label group[LABELS_MAX];
	static struct label labels[LABELS_MAX];
	struct push_options push = {.interval_ms = 200, .timeout_ms = 5000};
	static struct pairs headers;
	static struct pairs attributes;
	struct otlp_resource resource = {.container_key = "k8s.container.name",
					 .instance = "prod.web-1"};
	struct otlp_options otlp = {
		.is_base = true, .headers = &headers, .resource = &resource, .before = before};
	struct scrape_options scrape = {.max_age_ms = 1000, .before = before, .unready = unready};
	uv_loop_t *loop = uv_default_loop();
	enum histogram_kind histograms = HISTOGRAMS_CLASSIC;
	const char *error = "";
	int flag;

	the.stop_ms = 2500;
	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		switch (flag) {
		case PUSH:
			push.url = optarg;
			break;
		case INTERVAL:
			push.interval_ms = (uint64_t)atol(optarg);
			break;
		case TIMEOUT:
			push.timeout_ms = (uint64_t)atol(optarg);
			break;
		case STOP:
			the.stop_ms = (uint64_t)atol(optarg);
			break;
		case KEEP:
			push.keeps_on_exit = true;
			break;
		case CA:
			push.ca = optarg;
			break;
		case CERT:
			push.cert = optarg;
			break;
		case KEY:
			push.key = optarg;
			break;
		case USER:
			push.user_file = optarg;
			break;
		case TOKEN:
			push.token_file = optarg;
			break;
		case GROUP:
			add_label(group, &push.group_count, optarg);
			break;
		case LABEL:
			add_label(labels, &push.label_count, optarg);
			break;
		case LISTEN:
			scrape.listen = optarg;
			break;
		case OTLP:
			otlp.url = optarg;
			break;
		case SIGNAL:
			otlp.is_base = false;
			break;
		case PLAIN:
			otlp.is_plain = true;
			break;
		case RESOURCE:
			if (pairs_parse(&attributes, optarg))
				return 2;
			break;
		case HEADERS:
			if (pairs_parse(&headers, optarg))
				return 2;
			break;
		case HISTOGRAMS:
			histograms = *optarg == 'n' ? HISTOGRAMS_NATIVE : HISTOGRAMS_BOTH;
			push.needs_protobuf = true;
			break;
		default:
			return 2;
		}
	}
	(void)signal(SIGPIPE, SIG_IGN);
	the.registry = registry_new(SERIES_MAX);
	registry_set_histograms(the.registry, histograms);
	the.red = red_new(the.registry, &(struct red_options){.wants_body_sizes = otlp.url});
	the.self = self_metrics_new(the.registry);
	(void)red_container(the.red, 1, "app");
	(void)red_container(the.red, 2, "worker");

	push.group = group;
	push.labels = scrape.labels = labels;
	scrape.label_count = push.label_count;
	push.registry = scrape.registry = the.registry;
	push.before = before;
	if (push.url && !(the.push = push_new(loop, &push, &error))) {
		(void)fprintf(stderr, "--push: %s\n", error);
		(void)uv_run(loop, UV_RUN_DEFAULT);
		return 2;
	}
	otlp.registry = the.registry;
	otlp.interval_ms = push.interval_ms;
	otlp.timeout_ms = push.timeout_ms;
	otlp.ca = push.ca;
	otlp.cert = push.cert;
	otlp.key = push.key;
	otlp.token_file = push.token_file;
	resource.attributes = attributes.list;
	resource.attribute_count = attributes.count;
	if (otlp.url && (!(the.otlp_metrics = otlp_metrics_new(the.registry)) ||
			 !(the.otlp = otlp_new(loop, &otlp, &error)))) {
		(void)fprintf(stderr, "--otlp: %s\n", error);
		(void)uv_run(loop, UV_RUN_DEFAULT);
		return 2;
	}
	if (scrape.listen && !(the.scrape = scrape_new(loop, &scrape, &error))) {
		(void)fprintf(stderr, "--listen: %s\n", error);
		return 2;
	}
	(void)uv_signal_init(loop, &the.sigterm);
	(void)uv_signal_start(&the.sigterm, on_signal, SIGTERM);
	(void)uv_poll_init(loop, &the.input, 0);
	(void)uv_poll_start(&the.input, UV_READABLE, on_input);
	if (the.scrape)
		(void)printf("port %u\n", scrape_port(the.scrape));
	else
		(void)printf("up\n");
	(void)fflush(stdout);
	(void)uv_run(loop, UV_RUN_DEFAULT);

	otlp_metrics_free(the.otlp_metrics);
	pairs_release(&attributes);
	pairs_release(&headers);
	self_metrics_free(the.self);
	red_free(the.red);
	registry_free(the.registry);
	return uv_loop_close(loop) == 0 ? 0 : 1; /* a handle left open is a bug */
}
