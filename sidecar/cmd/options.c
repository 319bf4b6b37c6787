/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/option.h"
#include "base/push_url.h"
#include "base/value.h"
#include "cmd/option_table.h"
#include "cmd/top_rows.h"
#include "export/request_filter.h"

#define RECORDER_MIN 16u
#define RECORDER_MAX 1000000u

#define SYSCALLS_FOR_MS	    (10u * 60 * 1000)
#define SYSCALLS_FOR_MAX_MS (60u * 60 * 1000)

static int read_operand(struct options *o, const char *arg, struct text *error)
{
	int command;

	if (o->command == COMMAND_REPLAY && !o->file) {
		o->file = arg;
		return 0;
	}
	if (o->command == COMMAND_HELP && o->help_on == COMMAND_HELP) {
		command = option_command_find(&option_set, arg);
		if (command < 0)
			return option_fail_command(&option_set, arg, error);
		o->help_on = (enum command)command;
		return 0;
	}
	if (o->command == COMMAND_COMPLETION && o->shell < 0 &&
	    value_word(arg, option_set.commands[COMMAND_COMPLETION].arguments, &o->shell) == 0)
		return 0;
	text_addf(error, "unexpected argument \"%s\"; ", arg);
	if (o->command == COMMAND_RUN || o->command == COMMAND_SYSCALLS)
		text_addf(error, "to start a program: sidelight %s -- %s ...",
			  option_set.commands[o->command].name, arg);
	else
		text_addf(error, "usage: sidelight %s %s", option_set.commands[o->command].name,
			  option_set.commands[o->command].arguments);
	return -EINVAL;
}

static int read_arguments(struct options *o, int argc, char **argv, option_bits *given,
			  struct text *error)
{
	for (int i = 0; i < argc;) {
		int used = 1;

		if (strcmp(argv[i], "--") == 0 &&
		    (o->command == COMMAND_RUN || o->command == COMMAND_SYSCALLS)) {
			o->argv = argv + i + 1;
			break;
		}
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			o->help_on = o->command;
			o->command = COMMAND_HELP;
			return 0;
		}
		if (strncmp(argv[i], "--", 2) == 0)
			used = option_read_flag(&option_set, (int)o->command, o, argv[i],
						i + 1 < argc ? argv[i + 1] : NULL, given, error);
		else if (argv[i][0] == '-' && argv[i][1])
			return option_fail_flag(&option_set, (int)o->command,
						span_from(span_of(argv[i]), 1), error);
		else if (read_operand(o, argv[i], error))
			return -EINVAL;
		if (used < 0)
			return used;
		i += used;
	}
	return 0;
}

static bool is_given(option_bits given, const char *flag)
{
	return given >> (option_find(&option_set, span_of(flag)) - option_table) & 1;
}

/*
 * A URL from the environment of a Pod was written by somebody who does not see this program's
 * errors: without a gateway it still serves /metrics. Who gives a flag is there.
 */
static void check_push(struct options *o, struct text *error)
{
	if (!o->push || push_url_is_valid(o->push))
		return;
	if (is_given(o->flags_given, "push"))
		text_add(error, "--push: not " PUSH_URL_WANTED);
	else
		o->is_push_refused = true;
	o->push = NULL;
}

/* What no flag and no SIDELIGHT_* variable has said is as OpenTelemetry's variables have it. */
static void take_otel(struct options *o, char *const *environ, option_bits given)
{
	const struct otel_environment *e = &o->otel;
	bool has_endpoint = o->otlp || o->is_otlp_refused;

	otel_environment_read(&o->otel, environ, has_endpoint);
	o->is_otlp_base = true;
	if (!has_endpoint) {
		o->otlp = e->endpoint;
		o->is_otlp_base = e->is_base;
	}
	if (e->interval_ms && !is_given(given, "otlp-interval"))
		o->otlp_interval_ms = e->interval_ms;
	if (e->timeout_ms && !is_given(given, "otlp-timeout"))
		o->otlp_timeout_ms = e->timeout_ms;
	if (!o->otlp_ca)
		o->otlp_ca = e->ca;
	if (!o->otlp_cert) {
		o->otlp_cert = e->cert;
		o->otlp_key = e->key;
	}
}

/* As check_push(). */
static void check_otlp(struct options *o, char *const *environ, option_bits given,
		       struct text *error)
{
	if (!o->otlp_cert != !o->otlp_key)
		text_add(error, "--otlp-cert and --otlp-key go together; give both");
	if (o->otlp && !push_url_is_valid(o->otlp)) {
		if (is_given(o->flags_given, "otlp") && !error->len)
			text_add(error, "--otlp: not " PUSH_URL_WANTED);
		o->is_otlp_refused = true;
		o->otlp = NULL;
	}
	take_otel(o, environ, given);
}

/* Names of fields, with * for any characters: what may stand in a name (RFC 9110 section 5.6.2). */
static int check_headers(const char *name, const char *list, struct text *error)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789!#$%&'*+-.^_`|~:,";
	size_t len = strlen(list);

	if (len && strspn(list, characters) == len)
		return 0;
	text_addf(error, "%s: \"%s\" is neither all, off nor a list of names of header fields",
		  name, list);
	return -EINVAL;
}

static int check_fields(struct options *o, struct text *error)
{
	text_add(error, "--fields: ");
	if (o->format == FORMAT_HAR)
		text_add(error, "har has members of its own");
	else if (request_picks_parse(&o->picks, o->fields, error) == 0)
		text_clear(error);
	return error->len ? -EINVAL : 0;
}

static void check_recorder(struct options *o, struct text *error)
{
	if (strcmp(o->recorder, "off") == 0)
		o->recorder_recent = 0;
	else if (value_number(o->recorder, &o->recorder_recent) ||
		 o->recorder_recent < RECORDER_MIN || o->recorder_recent > RECORDER_MAX)
		text_addf(error, "--recorder: \"%s\" is neither off nor a number from %u to %u",
			  o->recorder, RECORDER_MIN, RECORDER_MAX);
}

static int check_buckets(struct options *o, struct text *error)
{
	const char *why = o->buckets ? duration_buckets_parse(&o->durations, o->buckets) : NULL;

	if (!o->buckets)
		o->durations = duration_buckets_default;
	if (!why)
		return 0;
	text_addf(error, "--buckets: \"%s\": %s", o->buckets, why);
	return -EINVAL;
}

static int check_targets(const struct options *o, struct text *error)
{
	int targets = (o->argv != NULL) + (o->pid != 0) + (o->cgroup != NULL);

	if (o->argv && !o->argv[0])
		text_addf(error, "no program after \"--\"; usage: sidelight %s -- CMD ARG...",
			  option_set.commands[o->command].name);
	else if (targets > 1)
		text_add(error, "more than one thing to watch; give one of --pid N, --cgroup DIR "
				"and -- CMD ARG...");
	return error->len ? -EINVAL : 0;
}

/* Every system call of the node is slower meanwhile. */
static int check_syscalls(struct options *o, struct text *error)
{
	if (!check_targets(o, error) && o->for_ms > SYSCALLS_FOR_MAX_MS)
		text_add(error, "--for: syscalls ends after 1h at the latest, since it slows down "
				"the whole node a little");
	if (!o->for_ms)
		o->for_ms = SYSCALLS_FOR_MS;
	return error->len ? -EINVAL : 0;
}

static int check_run(struct options *o, char *const *environ, option_bits given, struct text *error)
{
	if (check_targets(o, error))
		return -EINVAL;
	if (!o->push_cert != !o->push_key)
		text_add(error, "--push-cert and --push-key go together; give both");
	else if (o->push_user_file && o->push_token_file)
		text_add(error, "--push-user-file and --push-token-file exclude one another; "
				"give one");
	else
		check_push(o, error);
	if (!error->len)
		check_otlp(o, environ, given, error);
	if (!error->len)
		check_recorder(o, error);
	if (error->len)
		return -EINVAL;
	if (!is_given(given, "summary"))
		o->has_summary = o->argv || (isatty(STDERR_FILENO) && (o->pid || o->cgroup) &&
					     !o->metrics_listen && !o->push && !o->otlp);
	return 0;
}

/* Which sidecar to ask, or what to watch without one. */
static void check_capture(const struct options *o, struct text *error)
{
	if (is_given(o->flags_given, "control") + (o->pid != 0) + (o->cgroup != NULL) > 1)
		text_add(error, "more than one thing to look at; give one of --control PATH, "
				"--pid N and --cgroup DIR");
}

static int check_requests(struct options *o, struct text *error)
{
	const struct {
		const char *key;
		const char *value;
	} words[] = {
		{"last", o->last},	   {"status", o->status}, {"min-duration", o->min_duration},
		{"route", o->route},	   {"method", o->method}, {"peer", o->peer},
		{"trace-id", o->trace_id}, {"header", o->header}, {"count", o->count}};
	struct request_filter filter = {0};

	check_capture(o, error);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !error->len; i++)
		if (words[i].value)
			(void)request_filter_set(&filter, words[i].key, words[i].value, error);
	o->wants_follow |= !o->last;
	return error->len ? -EINVAL : 0;
}

static int check_top(const struct options *o, struct text *error)
{
	check_capture(o, error);
	if (error->len)
		return -EINVAL;
	if (o->format == FORMAT_JSON && !o->is_once)
		text_add(error, "--format json: needs --once");
	else if (o->sort >= TOP_SORT_RTT && o->by != TOP_CONNECTIONS)
		text_add(error, "--sort rtt, retransmits, age, bytes: needs --by connection");
	else if (o->sort && o->sort < TOP_SORT_RTT && o->by == TOP_CONNECTIONS)
		text_add(error, "--by connection: sorts by requests, rtt, retransmits, age, bytes");
	return error->len ? -EINVAL : 0;
}

static int check_ui(const struct options *o, struct text *error)
{
	check_capture(o, error);
	return error->len ? -EINVAL : 0;
}

/* The format that the end of the file's name says, if it says one. */
static void guess_format(struct options *o)
{
	const char *words = option_find(&option_set, span_of("format"))->metavar;
	const char *dot = o->output ? strrchr(o->output, '.') : NULL;

	if (dot)
		(void)value_word(dot + 1, words, &o->format); /* another name says nothing */
}

static struct span format_word(int format)
{
	const char *word = option_find(&option_set, span_of("format"))->metavar;

	for (; format; format--)
		word = strchr(word, '|') + 1; /* there is one for each format */
	return (struct span){word, strcspn(word, "|")};
}

/* "a, b or c". formats: bits. */
static void add_formats(struct text *t, unsigned formats)
{
	const char *separator = "";

	for (int i = 0; formats; i++, formats >>= 1) {
		if (!(formats & 1))
			continue;
		text_add(t, formats == 1 && *separator ? " or " : separator);
		text_add_span(t, format_word(i));
		separator = ", ";
	}
}

static int check_format(struct options *o, bool is_given, struct text *error)
{
#define BIT(format) (1u << FORMAT_##format)
	static const unsigned printed[COMMAND_MAX] = {
		[COMMAND_REPLAY] =
			BIT(TABLE) | BIT(NDJSON) | BIT(JSON) | BIT(CSV) | BIT(XLSX) | BIT(HAR),
		[COMMAND_TRACE] = BIT(TABLE) | BIT(NDJSON) | BIT(HAR),
		[COMMAND_EXPORT] = BIT(NDJSON) | BIT(JSON) | BIT(CSV) | BIT(XLSX) | BIT(HAR),
		[COMMAND_TOP] = BIT(TABLE) | BIT(JSON),
		[COMMAND_SYSCALLS] = BIT(TABLE) | BIT(NDJSON) | BIT(JSON),
		[COMMAND_DOCTOR] = BIT(TABLE) | BIT(NDJSON) | BIT(JSON),
	};
#undef BIT
	if (!is_given)
		guess_format(o);
	if (!printed[o->command] || printed[o->command] & 1u << o->format)
		return 0;
	if (is_given)
		text_addf(error, "--format %.*s: ", SPAN_ARG(format_word(o->format)));
	else
		text_add(error, "which --format? ");
	text_addf(error, "%s prints ", option_set.commands[o->command].name);
	add_formats(error, printed[o->command]);
	return -EINVAL;
}

/* A workbook is no text. */
static int check_output(const struct options *o, struct text *error)
{
	if (o->format != FORMAT_XLSX || isatty(STDOUT_FILENO) == 0 ||
	    (o->output && strcmp(o->output, "-") != 0))
		return 0;
	text_addf(error, "--format xlsx is not for terminals; sidelight %s --output FILE",
		  option_set.commands[o->command].name);
	return -EINVAL;
}

int options_parse(struct options *o, int argc, char **argv, char *const *environ,
		  struct text *error)
{
	option_bits given = 0; /* bit i: row i of the table */
	int command = COMMAND_HELP;
	int err;

	*o = (struct options){.command = COMMAND_HELP, .help_on = COMMAND_HELP, .shell = -1};
	if (argc < 2) {
		text_add(error, "no command; \"sidelight run -- CMD ARG...\" watches a program, "
				"\"sidelight help\" lists the rest");
		return -EINVAL;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		command = COMMAND_VERSION;
	else if (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
		command = option_command_find(&option_set, argv[1]);
	if (command < 0)
		return option_fail_command(&option_set, argv[1], error);
	o->command = (enum command)command;
	err = option_read_environment(&option_set, command, o, environ, &given, error);
	if (!err)
		err = read_arguments(o, argc - 2, argv + 2, &o->flags_given, error);
	given |= o->flags_given;
	if (!err)
		err = check_buckets(o, error);
	if (!err && o->command == COMMAND_RUN)
		err = check_run(o, environ, given, error);
	if (!err && (o->command == COMMAND_TRACE || o->command == COMMAND_EXPORT))
		err = check_requests(o, error);
	if (!err && o->command == COMMAND_TOP)
		err = check_top(o, error);
	if (!err && o->command == COMMAND_UI)
		err = check_ui(o, error);
	if (!err && o->command == COMMAND_DOCTOR && o->pid && o->cgroup) {
		text_add(error, "--pid and --cgroup exclude one another; give one");
		err = -EINVAL;
	}
	if (!err && o->command == COMMAND_SYSCALLS)
		err = check_syscalls(o, error);
	if (!err && o->headers)
		err = check_headers("--headers", o->headers, error);
	if (!err)
		err = check_format(o, is_given(given, "format"), error);
	if (!err && o->fields)
		err = check_fields(o, error);
	if (!err)
		err = check_output(o, error);
	o->ring_bytes = value_round_up(o->ring_bytes);
	if (!err && o->command == COMMAND_REPLAY && !o->file) {
		text_add(error, "no capture file; usage: sidelight replay [OPTIONS] FILE.pcap");
		err = -EINVAL;
	}
	if (!err && o->command == COMMAND_COMPLETION && o->shell < 0) {
		text_add(error, "for which shell? usage: sidelight completion " OPTION_SHELL_WORDS
				"|kubectl");
		err = -EINVAL;
	}
	return err;
}

void options_header_names(const struct options *o, struct text *ret)
{
	text_init(ret);
	if (options_want_headers(o))
		text_add(ret, o->headers);
	if (strcmp(ret->ptr, "all") != 0)
		request_picks_header_names(&o->picks, ret);
}

int options_annotate(struct options *o, const char *key, const char *value, struct text *error)
{
	static const char prefix[] = "sidelight.dev/";
	const struct option *opt;

	if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	opt = option_find(&option_set, span_of(key + sizeof(prefix) - 1));
	/* An empty one counts as not set, as an empty variable does. */
	if (!opt || !(opt->commands & OPTION_IS_LIVE) ||
	    o->flags_given >> (opt - option_table) & 1 || !*value)
		return 0;
	if (strcmp(opt->flag, "headers") == 0 && check_headers(key, value, error))
		return -EINVAL;
	return option_set_value(opt, o, key, value, error);
}
