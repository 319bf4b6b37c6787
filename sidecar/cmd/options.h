/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user asked for: commands, flags and SIDELIGHT_* variables, all in
 * the one table of options.c, which also prints the help.
 *
 *     sidelight run [OPTIONS] -- CMD ARG...     --flag VALUE or --flag=VALUE
 *     SIDELIGHT_PUSH=http://gw:9091 sidelight run --pid 4711
 *
 * A variable gives the default, a flag wins; in between are the annotations of
 * the Pod, for what may change while we run (options_annotate); an empty variable counts as not
 * set, and a variable that the command has no use for is not looked at.
 * Truth values: --flag, --no-flag, --flag=true|false|yes|no|on|off|1|0.
 */
#ifndef SIDELIGHT_CMD_OPTIONS_H
#define SIDELIGHT_CMD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"

enum command {
	COMMAND_RUN,
	COMMAND_REPLAY,
	COMMAND_TRACE,
	COMMAND_TOP,
	COMMAND_DOCTOR,
	COMMAND_VERSION,
	COMMAND_HELP,
	COMMAND_MAX,
};

enum option_format { FORMAT_TABLE, FORMAT_NDJSON, FORMAT_JSON };
enum option_side { SIDE_SERVER, SIDE_CLIENT };
enum option_on_error { ON_ERROR_EXIT, ON_ERROR_WAIT };
enum option_on_exit { ON_EXIT_DELETE, ON_EXIT_KEEP };

/* Strings are borrowed from argv and the environment; NULL where nothing was said. */
struct options {
	enum command command;
	enum command help_on; /* COMMAND_HELP: of this command; COMMAND_HELP: of all */

	/* run: exactly one of these three is set */
	char **argv; /* what follows --, ends in NULL */
	uint64_t pid;
	const char *cgroup;
	const char *containers; /* of a Pod: comma-separated names */
	const char *podinfo; /* directory; need not be there */
	int on_error; /* enum option_on_error; also after an error, as far as it was read */
	bool has_summary; /* unless said otherwise: with argv */
	uint64_t for_ms; /* 0: no end */

	/* replay */
	const char *file; /* never NULL after options_parse(); "-" is standard input */
	const char *keylog; /* file */
	bool wants_query; /* also trace */
	bool wants_metrics;
	bool wants_follow; /* trace; also without --last */
	bool is_once; /* top */
	int side; /* enum option_side */

	/* replay, trace, top, doctor */
	int format; /* enum option_format */
	int sort; /* top: enum top_sort of top_table.h */

	/* trace: words of export/request_filter.h, checked; NULL: not asked for */
	const char *last;
	const char *status;
	const char *min_duration;
	const char *route;
	const char *method;
	const char *peer;
	const char *count;

	/* requests */
	bool has_body_sizes;
	const char *routes;
	uint64_t route_cap;
	uint64_t series_cap;
	uint64_t conn_cap;
	uint64_t memory_bytes; /* 0: to be chosen */
	uint64_t ring_bytes; /* a power of two */
	const char *recorder; /* "off" or a number */
	uint64_t recorder_recent; /* requests, as that says; 0: off */

	/* export */
	const char *control; /* path of the control socket, or "off" (run); NULL: the usual one */
	const char *metrics_listen; /* HOST:PORT, [IPv6]:PORT or :PORT; checked */
	const char *push; /* checked by base/push_url.h */
	bool is_push_refused; /* there is one in the environment, which cannot be used */
	uint64_t metrics_age_ms;
	uint64_t push_interval_ms;
	uint64_t push_timeout_ms;
	int push_on_exit; /* enum option_on_exit */
	const char *push_ca;
	const char *push_cert; /* comes with push_key */
	const char *push_key;
	const char *push_user_file; /* excludes push_token_file */
	const char *push_token_file;

	/* common labels */
	const char *job;
	const char *namespace;
	const char *pod;
	const char *node;
	const char *workload;
	const char *pod_labels; /* comma-separated */

	int log_level; /* enum log_level */

	uint64_t flags_given; /* bit i: row i of the table was said by a flag */
};

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
