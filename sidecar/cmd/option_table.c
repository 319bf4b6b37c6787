/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/option_table.h"

#include <stddef.h>

#include "cmd/control_socket.h"

#define AT(member) offsetof(struct options, member)
#define MILLION	   1000000u
#define DAY_MS	   (24u * 3600 * 1000)

const struct option option_table[] = {
	{"What to watch", "pid", NULL, "N", NULL, "the cgroup that process N is in", KIND_NUMBER,
	 IN_RUN | IN_REQUESTS | IN_TOP | IN_UI | IN_SYSCALLS | IN_DOCTOR, AT(pid), 1, INT32_MAX},
	{NULL, "cgroup", NULL, "DIR", NULL, "the cgroup v2 directory DIR, with all below it",
	 KIND_TEXT, IN_RUN | IN_REQUESTS | IN_TOP | IN_UI | IN_SYSCALLS | IN_DOCTOR, AT(cgroup), 0,
	 0},
	{NULL, "containers", "SIDELIGHT_CONTAINERS", "LIST", NULL,
	 "in a Pod: only these containers [all but mesh proxies]", KIND_TEXT,
	 IN_RUN | IN_REQUESTS | IN_SYSCALLS | IN_DOCTOR, AT(containers), 0, 0},
	/* Read early: it counts for whatever is wrong in the rows below. */
	{NULL, "on-error", "SIDELIGHT_ON_ERROR", "exit|wait", "exit",
	 "when it cannot watch: end, or do nothing until SIGTERM (a native sidecar that ends keeps "
	 "its Pod from starting); with -- CMD always end",
	 KIND_WORD, IN_RUN, AT(on_error), 0, 0},
	{NULL, "podinfo", "SIDELIGHT_PODINFO", "DIR", "/etc/sidelight/podinfo",
	 "downward API volume with the files annotations and labels; its sidelight.dev/NAME "
	 "change --routes, --headers, --syscalls, --push-interval and --log-level while sidelight "
	 "runs, unless a flag said something",
	 KIND_TEXT, IN_RUN, AT(podinfo), 0, 0},
	{NULL, "for", NULL, "DURATION", NULL,
	 "stop after so long, with status 0; a program started with -- CMD gets SIGTERM, and what "
	 "is left of it two seconds later SIGKILL; top --once: count for so long [2s]; syscalls: "
	 "at most "
	 "1h [10m]",
	 KIND_DURATION, IN_RUN | IN_REQUESTS | IN_TOP | IN_UI | IN_SYSCALLS, AT(for_ms), 1,
	 365ull * DAY_MS},
	{NULL, "tls", "SIDELIGHT_TLS", "keys|off", "keys",
	 "keys: decrypt TLS, with the secrets that probes in the libraries of the watched "
	 "processes copy once per handshake (before Linux 6.6 with CAP_SYS_ADMIN only)",
	 KIND_WORD, IN_RUN, AT(tls), 0, 0},
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
	{NULL, "format", NULL, "table|ndjson|json|csv|xlsx|har", "table",
	 "how to print; export, and replay with --output, go by the end of FILE's name unless it "
	 "is "
	 "given",
	 KIND_WORD, IN_REPLAY | IN_REQUESTS | IN_TOP | IN_DOCTOR | IN_SYSCALLS, AT(format), 0, 0},
	{NULL, "output", NULL, "FILE", NULL,
	 "write to FILE, which is there when it is whole [-: standard output]", KIND_TEXT,
	 IN_REPLAY | IN_EXPORT, AT(output), 0, 0},
	{NULL, "query", NULL, NULL, NULL,
	 "print targets with their query strings, which may hold secrets; trace and export redact "
	 "those that they know",
	 KIND_BOOL, IN_REPLAY | IN_REQUESTS, AT(wants_query), 0, 0},
	{NULL, "stages", NULL, NULL, NULL,
	 "columns with the time of receiving the request, of waiting in the socket (while system "
	 "calls are counted), of the program until its response begins, and of sending it",
	 KIND_BOOL, IN_TRACE, AT(wants_stages), 0, 0},
	{NULL, "threads", NULL, NULL, NULL,
	 "the process and the thread that wrote the response (of a client: the request): a column, "
	 "and beside their numbers the name of the process",
	 KIND_BOOL, IN_REQUESTS, AT(wants_threads), 0, 0},
	{NULL, "fields", NULL, "LIST", NULL,
	 "only these members of a line, in this order, and header fields of the request or the "
	 "response: 'status,header:x-one,response-header:server'; not for har",
	 KIND_TEXT, IN_REPLAY | IN_REQUESTS, AT(fields), 0, 0},
	{NULL, "once", NULL, NULL, NULL,
	 "print one table, or one object with --format json, and end; without it, top shows live "
	 "rates on a terminal",
	 KIND_BOOL, IN_TOP, AT(is_once), 0, 0},
	{NULL, "by", NULL, "route|peer|process|thread|connection", "route", "what a row is of",
	 KIND_WORD, IN_TOP, AT(by), 0, 0},
	{NULL, "sort", NULL, "requests|errors|p50|p90|p99|max|route|rtt|retransmits|age|bytes",
	 "requests", "by which column, the largest first; the last four are of connections",
	 KIND_WORD, IN_TOP, AT(sort), 0, 0},
	{NULL, "by", NULL, "thread|process", "thread",
	 "syscalls: a line for each of these and each call", KIND_WORD, IN_SYSCALLS, AT(by), 0, 0},
	{NULL, "sort", NULL, "time|calls|errors|bytes|blocked|p99|max|process", "time",
	 "syscalls: by which column, the largest first", KIND_WORD, IN_SYSCALLS, AT(sort), 0, 0},
	{NULL, "row-cap", NULL, "N", "4096",
	 "threads times calls that are counted apart; further ones only by call", KIND_NUMBER,
	 IN_SYSCALLS, AT(row_cap), 1, 65536},
	{NULL, "port", NULL, "N", NULL, "of the page, on 127.0.0.1 [one that is free]", KIND_NUMBER,
	 IN_UI, AT(port), 1, 65535},
	{NULL, "idle", NULL, "DURATION", NULL,
	 "end when no browser has asked for so long; one whose page is hidden asks once a minute",
	 KIND_DURATION, IN_UI, AT(idle_ms), 1000, DAY_MS},
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
	{NULL, "headers", "SIDELIGHT_HEADERS", "LIST|all|off", NULL,
	 "these header fields of requests and responses, trailers and gRPC metadata, with * for "
	 "any "
	 "characters: run records them, replay prints them; credentials, cookies, keys and tokens "
	 "are redacted in any case [off]",
	 KIND_TEXT, IN_ENGINE | OPTION_IS_LIVE, AT(headers), 0, 0},
	{NULL, "body-sizes", "SIDELIGHT_BODY_SIZES", NULL, NULL,
	 "histograms of the sizes of request and response bodies too", KIND_BOOL, IN_ENGINE,
	 AT(has_body_sizes), 0, 0},
	{NULL, "buckets", "SIDELIGHT_BUCKETS", "LIST", NULL,
	 "bounds of the buckets of durations, in seconds, at most 24: '.01,.05,.1,1' [17 from "
	 "0.0005 to 10]",
	 KIND_TEXT, IN_ENGINE, AT(buckets), 0, 0},
	{NULL, "histograms", "SIDELIGHT_HISTOGRAMS", "classic|native|both", "classic",
	 "native: buckets that are 4.4 % wide, at any duration; a scraper gets them in "
	 "Prometheus' protobuf format, OTLP as exponential histograms",
	 KIND_WORD, IN_RUN, AT(histograms), 0, 0},
	{NULL, "exemplars", "SIDELIGHT_EXEMPLARS", "on|off", "on",
	 "trace and span of sampled requests beside the buckets of durations, on /metrics (where "
	 "OpenMetrics is asked for) and by OTLP",
	 KIND_WORD, IN_RUN, AT(exemplars), 0, 0},
	{NULL, "created", "SIDELIGHT_CREATED", "off|on", "off",
	 "on: OpenMetrics text has a _created sample for each counter and histogram, which most "
	 "scrapers store as one more series; the protobuf format and OTLP say it in any case",
	 KIND_WORD, IN_RUN, AT(created), 0, 0},
	{NULL, "by", "SIDELIGHT_BY", "none|process", "none",
	 "process: labels of requests with the process that wrote the response (of a client: the "
	 "request): its name and number, at most 64 (Linux 6.10)",
	 KIND_WORD, IN_RUN, AT(labels_by), 0, 0},
	{NULL, "syscalls", "SIDELIGHT_SYSCALLS", "off|on", "off",
	 "on: metrics of network system calls; while it is on, every system call of the node, of "
	 "all programs, takes longer (the log says how much)",
	 KIND_WORD, IN_RUN | OPTION_IS_LIVE, AT(syscalls), 0, 0},
	{NULL, "syscall-counting", "SIDELIGHT_SYSCALL_COUNTING", "allowed|forbidden", "allowed",
	 "forbidden: neither --syscalls nor an annotation has them counted", KIND_WORD, IN_RUN,
	 AT(syscall_counting), 0, 0},
	{NULL, "header-capture", "SIDELIGHT_HEADER_CAPTURE", "allowed|forbidden", "allowed",
	 "forbidden: neither --headers nor an annotation nor a client of the control socket has "
	 "header fields captured",
	 KIND_WORD, IN_RUN, AT(header_capture), 0, 0},

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
	{NULL, "otlp", "SIDELIGHT_OTLP", "URL", NULL,
	 "export by OTLP/HTTP to this receiver, at the path v1/metrics below it", KIND_TEXT, IN_RUN,
	 AT(otlp), 0, 0},
	{NULL, "otlp-interval", "SIDELIGHT_OTLP_INTERVAL", "SECONDS", "15",
	 "time between exports by OTLP", KIND_DURATION, IN_RUN, AT(otlp_interval_ms), 100, DAY_MS},
	{NULL, "otlp-timeout", "SIDELIGHT_OTLP_TIMEOUT", "SECONDS", "10",
	 "give an export up after so long", KIND_DURATION, IN_RUN, AT(otlp_timeout_ms), 100,
	 DAY_MS},
	{NULL, "otlp-ca", "SIDELIGHT_OTLP_CA", "FILE", NULL,
	 "certificates (PEM) that the receiver's must lead to", KIND_TEXT, IN_RUN, AT(otlp_ca), 0,
	 0},
	{NULL, "otlp-cert", "SIDELIGHT_OTLP_CERT", "FILE", NULL,
	 "client certificate (PEM); needs --otlp-key", KIND_TEXT, IN_RUN, AT(otlp_cert), 0, 0},
	{NULL, "otlp-key", "SIDELIGHT_OTLP_KEY", "FILE", NULL, "its private key (PEM)", KIND_TEXT,
	 IN_RUN, AT(otlp_key), 0, 0},
	{NULL, "otlp-token-file", "SIDELIGHT_OTLP_TOKEN_FILE", "FILE", NULL,
	 "file that holds a bearer token; read again for each export", KIND_TEXT, IN_RUN,
	 AT(otlp_token_file), 0, 0},

	{NULL, "control", "SIDELIGHT_CONTROL", "PATH", NULL,
	 "Unix socket, for its owner only, at which run answers trace, export, top and ui; off: "
	 "none "
	 "[" CONTROL_PATH ", if its directory is there]",
	 KIND_TEXT, IN_RUN | IN_REQUESTS | IN_TOP | IN_UI, AT(control), 0, 0},

	{"Which requests to print", "last", NULL, "DURATION", NULL,
	 "those that ended no longer ago, as far as the recorder has them; then end, unless "
	 "--follow",
	 KIND_TEXT, IN_REQUESTS, AT(last), 0, 0},
	{NULL, "follow", NULL, NULL, NULL,
	 "those that end from now on, until it is interrupted [without --last]", KIND_BOOL,
	 IN_REQUESTS, AT(wants_follow), 0, 0},
	{NULL, "status", NULL, "LIST", NULL,
	 "with one of these statuses: 404, 5xx, UNAVAILABLE (of gRPC), none, or any error",
	 KIND_TEXT, IN_REQUESTS, AT(status), 0, 0},
	{NULL, "min-duration", NULL, "DURATION", NULL, "that took at least so long", KIND_TEXT,
	 IN_REQUESTS, AT(min_duration), 0, 0},
	{NULL, "route", NULL, "LIST", NULL,
	 "of one of these routes, or methods of gRPC; a * stands for any characters", KIND_TEXT,
	 IN_REQUESTS, AT(route), 0, 0},
	{NULL, "method", NULL, "LIST", NULL, "with one of these methods; GRPC: calls of gRPC",
	 KIND_TEXT, IN_REQUESTS, AT(method), 0, 0},
	{NULL, "peer", NULL, "LIST", NULL,
	 "of these addresses of the other end, with or without a port: '10.1.*'", KIND_TEXT,
	 IN_REQUESTS, AT(peer), 0, 0},
	{NULL, "trace-id", NULL, "ID", NULL,
	 "of this trace, as their traceparent or b3 says: 32 hexadecimal digits, or 16", KIND_TEXT,
	 IN_REQUESTS, AT(trace_id), 0, 0},
	{NULL, "count", NULL, "N", NULL,
	 "so many of them: the last ones; with --follow, end when they were printed", KIND_TEXT,
	 IN_REQUESTS, AT(count), 0, 0},
	{NULL, "header", NULL, "LIST", NULL,
	 "with one of these header fields, in request or response: NAME=VALUE, or NAME; a * stands "
	 "for any characters",
	 KIND_TEXT, IN_REQUESTS, AT(header), 0, 0},
	{NULL, "headers", NULL, "LIST|all|off", NULL,
	 "print these header fields, and capture them until the command ends; of requests before "
	 "that, those that the sidecar's --headers has captured",
	 KIND_TEXT, IN_REQUESTS, AT(headers), 0, 0},

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
_Static_assert(sizeof(option_table) / sizeof(option_table[0]) <= 8 * sizeof(option_bits),
	       "a bit for each");

static const struct option_command option_commands[COMMAND_MAX] = {
	[COMMAND_RUN] = {"run", "[OPTIONS] [-- CMD ARG... | --pid N | --cgroup DIR]",
			 "watch a program's requests; start it, or join it"},
	[COMMAND_REPLAY] =
		{"replay", "[OPTIONS] FILE.pcap",
		 "the same on a capture file (pcap or pcapng, also gzipped; - is standard input)"},
	[COMMAND_TRACE] = {"trace", "[OPTIONS]",
			   "requests as they end, or as a sidecar has recorded them"},
	[COMMAND_EXPORT] = {"export", "[OPTIONS] --output FILE",
			    "the same in a file: csv, xlsx, har, ndjson, json"},
	[COMMAND_TOP] = {"top", "[OPTIONS]",
			 "rate, errors and durations by route, peer or process"},
	[COMMAND_UI] = {"ui", "[OPTIONS]",
			"the same and more as a page for browsers on this machine"},
	[COMMAND_SYSCALLS] = {"syscalls", "[OPTIONS] [-- CMD ARG... | --pid N | --cgroup DIR]",
			      "network system calls by process and thread: counts, errors, times"},
	[COMMAND_DOCTOR] = {"doctor", "[OPTIONS]", "what this kernel and these capabilities allow"},
	[COMMAND_COMPLETION] = {"completion", OPTION_SHELL_WORDS "|kubectl",
				"a script for a shell that completes command lines"},
	[COMMAND_MAN] = {"man", "", "this page as a page of the manual: sidelight man | man -l -"},
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
