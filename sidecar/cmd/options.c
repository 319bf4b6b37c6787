/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/option.h"
#include "base/push_url.h"
#include "base/value.h"
#include "cmd/option_table.h"
#include "export/request_filter.h"

#define RECORDER_MIN 16u
#define RECORDER_MAX 1000000u

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
	text_addf(error, "unexpected argument \"%s\"; ", arg);
	if (o->command == COMMAND_RUN)
		text_addf(error, "to start a program: sidelight run -- %s ...", arg);
	else
		text_addf(error, "usage: sidelight %s %s", option_set.commands[o->command].name,
			  option_set.commands[o->command].arguments);
	return -EINVAL;
}

static int read_arguments(struct options *o, int argc, char **argv, uint64_t *given,
			  struct text *error)
{
	for (int i = 0; i < argc;) {
		int used = 1;

		if (strcmp(argv[i], "--") == 0 && o->command == COMMAND_RUN) {
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

static bool is_given(uint64_t given, const char *flag)
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

static void check_recorder(struct options *o, struct text *error)
{
	if (strcmp(o->recorder, "off") == 0)
		o->recorder_recent = 0;
	else if (value_number(o->recorder, &o->recorder_recent) ||
		 o->recorder_recent < RECORDER_MIN || o->recorder_recent > RECORDER_MAX)
		text_addf(error, "--recorder: \"%s\" is neither off nor a number from %u to %u",
			  o->recorder, RECORDER_MIN, RECORDER_MAX);
}

static int check_run(struct options *o, uint64_t given, struct text *error)
{
	int targets = (o->argv != NULL) + (o->pid != 0) + (o->cgroup != NULL);

	if (o->argv && !o->argv[0])
		text_add(error, "no program after \"--\"; usage: sidelight run -- CMD ARG...");
	else if (targets > 1)
		text_add(error, "more than one thing to watch; give one of --pid N, --cgroup DIR "
				"and -- CMD ARG...");
	else if (!o->push_cert != !o->push_key)
		text_add(error, "--push-cert and --push-key go together; give both");
	else if (o->push_user_file && o->push_token_file)
		text_add(error, "--push-user-file and --push-token-file exclude one another; "
				"give one");
	else
		check_push(o, error);
	if (!error->len)
		check_recorder(o, error);
	if (error->len)
		return -EINVAL;
	if (!is_given(given, "summary"))
		o->has_summary = o->argv || (isatty(STDERR_FILENO) && (o->pid || o->cgroup) &&
					     !o->metrics_listen && !o->push);
	return 0;
}

static int check_trace(struct options *o, struct text *error)
{
	const struct {
		const char *key;
		const char *value;
	} words[] = {{"last", o->last},	  {"status", o->status}, {"min-duration", o->min_duration},
		     {"route", o->route}, {"method", o->method}, {"peer", o->peer},
		     {"count", o->count}};
	struct request_filter filter = {0};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !error->len; i++)
		if (words[i].value)
			(void)request_filter_set(&filter, words[i].key, words[i].value, error);
	if (!error->len && o->format == FORMAT_JSON)
		text_add(error, "--format json: trace prints table or ndjson");
	o->wants_follow |= !o->last;
	return error->len ? -EINVAL : 0;
}

static int check_top(const struct options *o, struct text *error)
{
	if (!o->is_once)
		text_add(error, "top prints once only: sidelight top --once [--for 5s]");
	else if (o->format == FORMAT_NDJSON)
		text_add(error, "--format ndjson: top prints table or json");
	return error->len ? -EINVAL : 0;
}

int options_parse(struct options *o, int argc, char **argv, char *const *environ,
		  struct text *error)
{
	uint64_t given = 0; /* bit i: row i of the table */
	int command = COMMAND_HELP;
	int err;

	*o = (struct options){.command = COMMAND_HELP, .help_on = COMMAND_HELP};
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
	if (!err && o->command == COMMAND_RUN)
		err = check_run(o, given, error);
	if (!err && o->command == COMMAND_TRACE)
		err = check_trace(o, error);
	if (!err && o->command == COMMAND_TOP)
		err = check_top(o, error);
	o->ring_bytes = value_round_up(o->ring_bytes);
	if (!err && o->command == COMMAND_REPLAY && !o->file) {
		text_add(error, "no capture file; usage: sidelight replay [OPTIONS] FILE.pcap");
		err = -EINVAL;
	}
	return err;
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
	return option_set_value(opt, o, key, value, error);
}
