/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/option_table.h"

#include <stddef.h>

#include "cmd/control_socket.h"

#define AT(member) offsetof(struct options, member)
#define MILLION	   1000000u
#define DAY_MS	   (24u * 3600 * 1000)

const struct option option_table[] = {
	{"What to watch", "pid", NULL, "N", NULL, "the cgroup that process N is in", KIND_NUMBER,
	 IN_RUN, AT(pid), 1, INT32_MAX},
	{NULL, "cgroup", NULL, "DIR", NULL, "the cgroup v2 directory DIR, with all below it",
	 KIND_TEXT, IN_RUN, AT(cgroup), 0, 0},
	{NULL, "containers", "SIDELIGHT_CONTAINERS", "LIST", NULL,
	 "in a Pod: only these containers [all but mesh proxies]", KIND_TEXT, IN_RUN | IN_TRACE,
	 AT(containers), 0, 0},
	/* Read early: it counts for whatever is wrong in the rows below. */
	{NULL, "on-error", "SIDELIGHT_ON_ERROR", "exit|wait", "exit",
	 "when it cannot watch: end, or do nothing until SIGTERM (a native sidecar that ends keeps "
	 "its Pod from starting); with -- CMD always end",
	 KIND_WORD, IN_RUN, AT(on_error), 0, 0},
	{NULL, "podinfo", "SIDELIGHT_PODINFO", "DIR", "/etc/sidelight/podinfo",
	 "downward API volume with the files annotations and labels; its sidelight.dev/NAME "
	 "change --routes, --push-interval and --log-level while sidelight runs, unless a flag "
	 "said something",
	 KIND_TEXT, IN_RUN, AT(podinfo), 0, 0},
	{NULL, "for", NULL, "DURATION", NULL,
	 "stop after so long, with status 0; a program started with -- CMD gets SIGTERM, and what "
	 "is left of it two seconds later SIGKILL; top: count for so long [2s]",
	 KIND_DURATION, IN_RUN | IN_TRACE | IN_TOP, AT(for_ms), 1, 365ull * DAY_MS},
	{NULL, "side", NULL, "server|client", "server",
	 "which end of the connections is the observed one", KIND_WORD, IN_REPLAY, AT(side), 0, 0},
	{NULL, "keylog", NULL, "FILE", NULL,
	 "decrypt TLS with the secrets in FILE, in the key log format that curl, browsers and most "
	 "TLS libraries write to $SSLKEYLOGFILE",
	 KIND_TEXT, IN_REPLAY, AT(keylog), 0, 0},

	{"Output", "summary", "SIDELIGHT_SUMMARY", NULL, NULL,
	 "a table of rates, errors and durations on standard error at the end; default with "
	 "-- CMD, and on a terminal with --pid or --cgroup when nothing is exported",
	 KIND_BOOL, IN_RUN | IN_REPLAY, AT(has_summary), 0, 0},
	{NULL, "metrics", NULL, NULL, NULL, "print the metrics instead of the requests", KIND_BOOL,
	 IN_REPLAY, AT(wants_metrics), 0, 0},
	{NULL, "format", NULL, "table|ndjson|json", "table", "how to print", KIND_WORD,
	 IN_REPLAY | IN_TRACE | IN_TOP | IN_DOCTOR, AT(format), 0, 0},
	{NULL, "query", NULL, NULL, NULL,
	 "print targets with their query strings, which may hold secrets; trace redacts those that "
	 "it knows",
	 KIND_BOOL, IN_REPLAY | IN_TRACE, AT(wants_query), 0, 0},
	{NULL, "once", NULL, NULL, NULL,
	 "print one table, or one object with --format json, and end", KIND_BOOL, IN_TOP,
	 AT(is_once), 0, 0},
	{NULL, "sort", NULL, "requests|errors|p50|p90|p99|max|route", "requests",
	 "by which column, the largest first", KIND_WORD, IN_TOP, AT(sort), 0, 0},
	{NULL, "log-level", "SIDELIGHT_LOG_LEVEL", "error|warn|info|debug|trace", "info",
	 "what to report on standard error; debug: connections and requests, trace: libbpf, too",
	 KIND_WORD, IN_ALL | OPTION_IS_LIVE, AT(log_level), 0, 0},

	{"Requests", "routes", "SIDELIGHT_ROUTES", "LIST", NULL,
	 "route templates, tried in order before the automatic ones: '/users/{id},/files/*'",
	 KIND_TEXT, IN_ENGINE | OPTION_IS_LIVE, AT(routes), 0, 0},
	{NULL, "route-cap", "SIDELIGHT_ROUTE_CAP", "N", "100",
	 "automatic routes per direction; further ones are _OTHER", KIND_NUMBER, IN_ENGINE,
	 AT(route_cap), 0, 100000},
	{NULL, "series-cap", "SIDELIGHT_SERIES_CAP", "N", "2000",
	 "series of all metrics together; further ones are _OTHER", KIND_NUMBER, IN_ENGINE,
	 AT(series_cap), 10, MILLION},
	{NULL, "conn-cap", "SIDELIGHT_CONN_CAP", "N", "20000",
	 "connections followed at once; beyond it the longest idle is given up; "
	 "the BPF maps have room for four times as many",
	 KIND_NUMBER, IN_ENGINE, AT(conn_cap), 1, 10 * MILLION},
	{NULL, "memory", "SIDELIGHT_MEMORY", "BYTES", NULL,
	 "memory for the state of all connections; when it is exhausted the longest idle is given "
	 "up [32M, or a quarter of the cgroup's memory limit where that is less]",
	 KIND_BYTES, IN_ENGINE, AT(memory_bytes), 1u << 20, UINT64_C(1) << 40},
	{NULL, "ring-bytes", "SIDELIGHT_RING_BYTES", "BYTES", "2M",
	 "buffer between kernel and user space; rounded up to a power of two", KIND_BYTES,
	 IN_RUN | IN_DOCTOR, AT(ring_bytes), 64u << 10, 1u << 30},
	{NULL, "recorder", "SIDELIGHT_RECORDER", "off|N", "2000",
	 "keep the last N requests, and a fourth of that beside them for older errors and the "
	 "slowest of each route; some 480 bytes for each of N, at most a quarter of --memory",
	 KIND_TEXT, IN_RUN, AT(recorder), 0, 0},
	{NULL, "body-sizes", "SIDELIGHT_BODY_SIZES", NULL, NULL,
	 "histograms of the sizes of request and response bodies too", KIND_BOOL, IN_ENGINE,
	 AT(has_body_sizes), 0, 0},

	{"Export", "metrics-listen", "SIDELIGHT_METRICS_LISTEN", "HOST:PORT", NULL,
	 "serve /metrics, /healthz and /readyz there (usual: :9465)", KIND_ADDRESS, IN_RUN,
	 AT(metrics_listen), 0, 0},
	{NULL, "metrics-age", "SIDELIGHT_METRICS_AGE", "SECONDS", "1",
	 "how old a page of /metrics may be: those who ask meanwhile share it", KIND_DURATION,
	 IN_RUN, AT(metrics_age_ms), 0, 10 * 1000},
	{NULL, "push", "SIDELIGHT_PUSH", "URL", NULL, "push to this Prometheus Pushgateway",
	 KIND_TEXT, IN_RUN, AT(push), 0, 0},
	{NULL, "push-interval", "SIDELIGHT_PUSH_INTERVAL", "SECONDS", "15", "time between pushes",
	 KIND_DURATION, IN_RUN | OPTION_IS_LIVE, AT(push_interval_ms), 100, DAY_MS},
	{NULL, "push-timeout", "SIDELIGHT_PUSH_TIMEOUT", "SECONDS", "5",
	 "give a push up after so long", KIND_DURATION, IN_RUN, AT(push_timeout_ms), 100, DAY_MS},
	{NULL, "push-on-exit", "SIDELIGHT_PUSH_ON_EXIT", "delete|keep", "delete",
	 "at the end, remove what was pushed, or leave it", KIND_WORD, IN_RUN, AT(push_on_exit), 0,
	 0},
	{NULL, "push-ca", "SIDELIGHT_PUSH_CA", "FILE", NULL,
	 "certificates (PEM) that the gateway's must lead to", KIND_TEXT, IN_RUN, AT(push_ca), 0,
	 0},
	{NULL, "push-cert", "SIDELIGHT_PUSH_CERT", "FILE", NULL,
	 "client certificate (PEM); needs --push-key", KIND_TEXT, IN_RUN, AT(push_cert), 0, 0},
	{NULL, "push-key", "SIDELIGHT_PUSH_KEY", "FILE", NULL, "its private key (PEM)", KIND_TEXT,
	 IN_RUN, AT(push_key), 0, 0},
	{NULL, "push-user-file", "SIDELIGHT_PUSH_USER_FILE", "FILE", NULL,
	 "file that holds USER:PASSWORD for basic authentication", KIND_TEXT, IN_RUN,
	 AT(push_user_file), 0, 0},
	{NULL, "push-token-file", "SIDELIGHT_PUSH_TOKEN_FILE", "FILE", NULL,
	 "file that holds a bearer token; read again for each push", KIND_TEXT, IN_RUN,
	 AT(push_token_file), 0, 0},

	{NULL, "control", "SIDELIGHT_CONTROL", "PATH", NULL,
	 "Unix socket, for its owner only, at which run answers trace and top; off: none "
	 "[" CONTROL_PATH ", if its directory is there]",
	 KIND_TEXT, IN_RUN | IN_TRACE | IN_TOP, AT(control), 0, 0},

	{"Which requests to print", "last", NULL, "DURATION", NULL,
	 "those that ended no longer ago, as far as the recorder has them; then end, unless "
	 "--follow",
	 KIND_TEXT, IN_TRACE, AT(last), 0, 0},
	{NULL, "follow", NULL, NULL, NULL,
	 "those that end from now on, until it is interrupted [without --last]", KIND_BOOL,
	 IN_TRACE, AT(wants_follow), 0, 0},
	{NULL, "status", NULL, "LIST", NULL,
	 "with one of these statuses: 404, 5xx, UNAVAILABLE (of gRPC), none, or any error",
	 KIND_TEXT, IN_TRACE, AT(status), 0, 0},
	{NULL, "min-duration", NULL, "DURATION", NULL, "that took at least so long", KIND_TEXT,
	 IN_TRACE, AT(min_duration), 0, 0},
	{NULL, "route", NULL, "LIST", NULL,
	 "of one of these routes, or methods of gRPC; a * stands for any characters", KIND_TEXT,
	 IN_TRACE, AT(route), 0, 0},
	{NULL, "method", NULL, "LIST", NULL, "with one of these methods; GRPC: calls of gRPC",
	 KIND_TEXT, IN_TRACE, AT(method), 0, 0},
	{NULL, "peer", NULL, "LIST", NULL,
	 "of these addresses of the other end, with or without a port: '10.1.*'", KIND_TEXT,
	 IN_TRACE, AT(peer), 0, 0},
	{NULL, "count", NULL, "N", NULL,
	 "so many of them: the last ones; with --follow, end when they were printed", KIND_TEXT,
	 IN_TRACE, AT(count), 0, 0},

	{"Labels", "job", "SIDELIGHT_JOB", "NAME", NULL,
	 "job of the series (default: the workload, else \"sidelight\")", KIND_TEXT, IN_ENGINE,
	 AT(job), 0, 0},
	{NULL, "namespace", "SIDELIGHT_NAMESPACE", "NAME", NULL, "namespace of the Pod", KIND_TEXT,
	 IN_ENGINE, AT(namespace), 0, 0},
	{NULL, "pod", "SIDELIGHT_POD", "NAME", NULL, "name of the Pod", KIND_TEXT, IN_ENGINE,
	 AT(pod), 0, 0},
	{NULL, "node", "SIDELIGHT_NODE", "NAME", NULL, "node that it runs on", KIND_TEXT, IN_ENGINE,
	 AT(node), 0, 0},
	{NULL, "workload", "SIDELIGHT_WORKLOAD", "NAME", NULL,
	 "Deployment, StatefulSet, ... that it belongs to", KIND_TEXT, IN_ENGINE, AT(workload), 0,
	 0},
	{NULL, "pod-labels", "SIDELIGHT_POD_LABELS", "LIST", NULL,
	 "labels of the Pod that all series get, as label_NAME: 'app,example.com/team'", KIND_TEXT,
	 IN_RUN, AT(pod_labels), 0, 0},
};

const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);
_Static_assert(sizeof(option_table) / sizeof(option_table[0]) <= 64, "a bit for each");

static const struct option_command option_commands[COMMAND_MAX] = {
	[COMMAND_RUN] = {"run", "[OPTIONS] [-- CMD ARG... | --pid N | --cgroup DIR]",
			 "watch a program's requests; start it, or join it"},
	[COMMAND_REPLAY] =
		{"replay", "[OPTIONS] FILE.pcap",
		 "the same on a capture file (pcap or pcapng, also gzipped; - is standard input)"},
	[COMMAND_TRACE] = {"trace", "[OPTIONS]",
			   "requests that a running sidecar sees, or has seen, one line each"},
	[COMMAND_TOP] = {"top", "--once [OPTIONS]",
			 "rate, errors and durations by route, of a running sidecar"},
	[COMMAND_DOCTOR] = {"doctor", "[OPTIONS]", "what this kernel and these capabilities allow"},
	[COMMAND_VERSION] = {"version", "", "print the version"},
	[COMMAND_HELP] = {"help", "[COMMAND]", "this page, or that of one command"},
};

const struct option_set option_set = {
	"sidelight",
	"RED metrics for HTTP, from the kernel, for one program or Pod only",
	"In brackets: the default. A SIDELIGHT_* variable sets another; a flag wins.",
	option_commands,
	COMMAND_MAX,
	option_table,
	sizeof(option_table) / sizeof(option_table[0]),
};

void options_help(FILE *out, enum command command)
{
	option_help(&option_set, out, command == COMMAND_HELP ? -1 : (int)command);
}
