/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user asked for: commands, flags and SIDELIGHT_* variables, all in
 * the one table of options.c, which also prints the help.
 *
 *     sidelight run [OPTIONS] -- CMD ARG...     --flag VALUE or --flag=VALUE
 *     SIDELIGHT_PUSH=http://gw:9091 sidelight run --pid 4711
 *
 * A variable gives the default, a flag wins; variables of OpenTelemetry stand behind both; in
 * between are the annotations of the Pod, for what may change while we run (options_annotate); an
 * empty variable counts as not set, and a variable that the command has no use for is not looked
 * at. Truth values: --flag, --no-flag, --flag=true|false|yes|no|on|off|1|0.
 */
#ifndef SIDELIGHT_CMD_OPTIONS_H
#define SIDELIGHT_CMD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "base/text.h"
#include "cmd/otel_environment.h"
#include "export/request_writer.h"
#include "metrics/duration.h"

enum command {
	COMMAND_RUN,
	COMMAND_REPLAY,
	COMMAND_TRACE,
	COMMAND_EXPORT,
	COMMAND_TOP,
	COMMAND_UI,
	COMMAND_SYSCALLS,
	COMMAND_DOCTOR,
	COMMAND_COMPLETION,
	COMMAND_MAN,
	COMMAND_VERSION,
	COMMAND_HELP,
	COMMAND_MAX,
};

enum option_side { SIDE_SERVER, SIDE_CLIENT };
enum option_on_error { ON_ERROR_EXIT, ON_ERROR_WAIT };
enum option_tls { OPTION_TLS_KEYS, OPTION_TLS_OFF };
enum option_created { OPTION_CREATED_OFF, OPTION_CREATED_ON };
enum option_exemplars { OPTION_EXEMPLARS_ON, OPTION_EXEMPLARS_OFF };
enum option_switch { OPTION_OFF, OPTION_ON };
enum option_allowed { OPTION_ALLOWED, OPTION_FORBIDDEN };
enum option_labels_by { LABELS_BY_NONE, LABELS_BY_PROCESS };
enum option_on_exit { ON_EXIT_DELETE, ON_EXIT_KEEP };

/* Strings are borrowed from argv and the environment; NULL where nothing was said. */
struct options {
	enum command command;
	enum command help_on; /* COMMAND_HELP: of this command; COMMAND_HELP: of all */

	/* run, syscalls: at most one of these three is set; none: the containers of a Pod */
	char **argv; /* what follows --, ends in NULL */
	uint64_t pid;
	const char *cgroup;
	const char *containers; /* of a Pod: comma-separated names */
	const char *podinfo; /* directory; need not be there */
	int tls; /* enum option_tls */
	int on_error; /* enum option_on_error; also after an error, as far as it was read */
	uint64_t for_ms; /* 0: no end */

	/* replay */
	const char *file; /* never NULL after options_parse(); "-" is standard input */
	const char *keylog; /* file */
	bool has_summary; /* also run: unless said otherwise, with argv */
	bool wants_query; /* also trace, export */
	bool wants_metrics;
	bool wants_follow; /* trace, export; also without --last */
	bool is_once; /* top */
	bool wants_stages; /* trace, as the next */
	bool wants_threads;
	int side; /* enum option_side */
	int by; /* top: enum top_view of top_rows.h; syscalls: enum syscall_by */

	/* replay, trace, export, top, syscalls, doctor */
	const char *output; /* replay, export; NULL or "-": standard output */
	int format; /* enum request_format: one that the command prints */
	int sort; /* top: enum top_sort of top_table.h; syscalls: enum syscall_sort */

	/* ui */
	uint64_t port; /* of 127.0.0.1; 0: any that is free */
	uint64_t idle_ms; /* 0: no end */

	/* syscalls: see syscall_report.h */
	uint64_t row_cap;

	/* trace, export: words of export/request_filter.h, checked; NULL: not asked for */
	const char *last;
	const char *status;
	const char *min_duration;
	const char *route;
	const char *method;
	const char *peer;
	const char *trace_id;
	const char *count;
	const char *header;
	const char *fields; /* also replay; NULL: all, else `picks` */
	struct request_picks picks;

	/* requests */
	bool has_body_sizes;
	int histograms; /* enum histogram_kind */
	const char *buckets; /* NULL: the usual ones */
	struct duration_buckets durations; /* as that says */
	int exemplars; /* enum option_exemplars */
	int created; /* enum option_created */
	int labels_by; /* enum option_labels_by */
	int syscalls; /* enum option_switch */
	int syscall_counting; /* enum option_allowed, as the next */
	int header_capture;
	const char *routes;
	uint64_t route_cap;
	uint64_t series_cap;
	uint64_t conn_cap;
	uint64_t memory_bytes; /* 0: to be chosen */
	uint64_t ring_bytes; /* a power of two */
	const char *recorder; /* "off" or a number */
	uint64_t recorder_recent; /* requests, as that says; 0: off */
	const char *headers; /* also trace, export: see txn/headers.h; NULL or "off": none */

	/* export */
	const char *control; /* path of the control socket, or "off" (run); NULL: the usual one */
	const char *metrics_listen; /* HOST:PORT, [IPv6]:PORT or :PORT; checked */
	const char *push; /* checked by base/push_url.h */
	uint64_t metrics_age_ms;
	uint64_t push_interval_ms;
	uint64_t push_timeout_ms;
	int push_on_exit; /* enum option_on_exit */
	bool is_push_refused; /* SIDELIGHT_PUSH cannot be used, as the next */
	bool is_otlp_refused; /* of SIDELIGHT_OTLP */
	bool is_otlp_base; /* the path of metrics is to be appended to otlp */
	const char *push_ca;
	const char *push_cert; /* comes with push_key */
	const char *push_key;
	const char *push_user_file; /* excludes push_token_file */
	const char *push_token_file;
	const char *otlp; /* checked by base/push_url.h */
	uint64_t otlp_interval_ms;
	uint64_t otlp_timeout_ms;
	const char *otlp_ca;
	const char *otlp_cert; /* comes with otlp_key */
	const char *otlp_key;
	const char *otlp_token_file;
	struct otel_environment otel; /* what of it has a flag is in the members above */

	/* common labels */
	const char *job;
	const char *namespace;
	const char *pod;
	const char *node;
	const char *workload;
	const char *pod_labels; /* comma-separated */

	int shell; /* completion: enum option_shell, or OPTION_SHELLS for kubectl */

	int log_level; /* enum log_level */

	option_bits flags_given; /* bit i: row i of the table was said by a flag */
};

static inline bool options_want_headers(const struct options *o)
{
	return o->headers && strcmp(o->headers, "off") != 0;
}

/* The header fields that --headers and --fields name, as a list; empty: none. */
void options_header_names(const struct options *o, struct text *ret);

/*
 * Reads the environment (NAME=VALUE, ends in NULL), then argv. Returns 0, or
 * -EINVAL after adding one line to error, without a line end, that says what
 * is wrong and what to do.
 */
int options_parse(struct options *o, int argc, char **argv, char *const *environ,
		  struct text *error);

/*
 * What an annotation of the Pod says: sidelight.dev/NAME for the flag NAME of a
 * row that may change (OPTION_IS_LIVE). Flags win over annotations, annotations over
 * the environment. Other keys are not looked at. Returns 0, or -EINVAL after
 * adding a line to error; then *o is as it was. value is borrowed.
 */
int options_annotate(struct options *o, const char *key, const char *value, struct text *error);

/* The help on one command, or on all for COMMAND_HELP. */
void options_help(FILE *out, enum command command);

#endif
