/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <string.h>

#include "base/value.h"
#include "option_table.h"

static int find_command(const char *name)
{
	for (int i = 0; i < COMMAND_MAX; i++)
		if (strcmp(option_commands[i].name, name) == 0)
			return i;
	return -ENOENT;
}

static const struct option *find_option(struct span flag)
{
	for (size_t i = 0; i < option_count; i++)
		if (span_is(flag, option_table[i].flag))
			return &option_table[i];
	return NULL;
}

/* What the user may have meant: the nearest name, if it is near at all. */
struct guess {
	const char *name;
	size_t distance;
};

static void guess_try(struct guess *g, const char *name, struct span given)
{
	size_t d = value_distance(given, span_of(name));

	if (d < g->distance && d <= 1 + given.len / 3)
		*g = (struct guess){name, d};
}

static int fail_command(const char *given, struct text *error)
{
	struct guess g = {NULL, SIZE_MAX};

	for (int i = 0; i < COMMAND_MAX; i++)
		guess_try(&g, option_commands[i].name, span_of(given));
	text_addf(error, "unknown command \"%s\"; ", given);
	if (g.name)
		text_addf(error, "did you mean \"%s\"? ", g.name);
	text_add(error, "\"sidelight help\" lists them all");
	return -EINVAL;
}

static int fail_flag(enum command command, struct span given, struct text *error)
{
	struct guess g = {NULL, SIZE_MAX};

	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].commands & 1u << command)
			guess_try(&g, option_table[i].flag, given);
	text_addf(error, "unknown option --%.*s; ", SPAN_ARG(given));
	if (g.name)
		text_addf(error, "did you mean --%s? ", g.name);
	text_addf(error, "\"sidelight %s --help\" lists them all", option_commands[command].name);
	return -EINVAL;
}

static const char *what_is_wanted(const struct option *opt)
{
	switch (opt->kind) {
	case KIND_BOOL:
		return "true or false";
	case KIND_ADDRESS:
		return "HOST:PORT, [IPV6]:PORT or :PORT";
	case KIND_URL:
		return "a URL that starts with http:// or https://";
	case KIND_BYTES:
		return "a number of bytes, also as 512K or 2M,";
	case KIND_DURATION:
		return "a number of seconds, or 500ms, 15s, 2m, 1h,";
	case KIND_NUMBER:
		return "a whole number";
	case KIND_TEXT:
	case KIND_WORD:
		break;
	}
	return "one of";
}

/* name is how the user spelt it: "--push" or "SIDELIGHT_PUSH". */
static int fail_value(const struct option *opt, const char *name, const char *value,
		      struct text *error)
{
	if (opt->kind == KIND_TEXT) {
		text_addf(error, "%s must not be empty", name);
		return -EINVAL;
	}
	text_addf(error, "%s: \"%s\" is not %s", name, value, what_is_wanted(opt));
	if (opt->kind == KIND_WORD)
		text_addf(error, " %s", opt->metavar);
	if (opt->kind == KIND_NUMBER || opt->kind == KIND_BYTES)
		text_addf(error, " from %llu to %llu", (unsigned long long)opt->min,
			  (unsigned long long)opt->max);
	if (opt->kind == KIND_DURATION)
		text_addf(error, " of at least %llu ms", (unsigned long long)opt->min);
	return -EINVAL;
}

static int set_number(const struct option *opt, uint64_t *at, const char *value)
{
	uint64_t n;
	int err = opt->kind == KIND_DURATION ? value_duration(value, &n)
		  : opt->kind == KIND_BYTES  ? value_bytes(value, &n)
					     : value_number(value, &n);

	if (err || n < opt->min || n > opt->max)
		return -EINVAL;
	*at = n;
	return 0;
}

static int set_value(struct options *o, const struct option *opt, const char *name,
		     const char *value, struct text *error)
{
	void *at = (char *)o + opt->offset;
	int err = 0;

	switch (opt->kind) {
	case KIND_BOOL:
		err = value_bool(value, at);
		break;
	case KIND_WORD:
		err = value_word(value, opt->metavar, at);
		break;
	case KIND_NUMBER:
	case KIND_BYTES:
	case KIND_DURATION:
		err = set_number(opt, at, value);
		break;
	case KIND_ADDRESS:
		err = value_is_address(value) ? 0 : -EINVAL;
		break;
	case KIND_URL:
		err = value_is_url(value) ? 0 : -EINVAL;
		break;
	case KIND_TEXT:
		err = *value ? 0 : -EINVAL;
		break;
	}
	if (err)
		return fail_value(opt, name, value, error);
	if (opt->kind == KIND_ADDRESS || opt->kind == KIND_URL || opt->kind == KIND_TEXT)
		*(const char **)at = value;
	return 0;
}

static const char *find_variable(char *const *environ, const char *name)
{
	size_t len = strlen(name);

	for (; *environ; environ++)
		if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=')
			return *environ + len + 1;
	return NULL;
}

/* Defaults, then the environment. given: rows that it had. */
static int read_environment(struct options *o, char *const *environ, uint64_t *given,
			    struct text *error)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *opt = &option_table[i];
		const char *value = NULL;
		int err = 0;

		if (opt->fallback)
			err = set_value(o, opt, opt->flag, opt->fallback, error);
		if (opt->variable && opt->commands & 1u << o->command)
			value = find_variable(environ, opt->variable);
		if (!err && value && *value) {
			err = set_value(o, opt, opt->variable, value, error);
			*given |= 1ull << i;
		}
		if (err)
			return err;
	}
	return 0;
}

/* One "--flag", "--no-flag" or "--flag=value"; next is the argument after it or NULL.
 * Returns how many arguments were used. */
static int read_flag(struct options *o, const char *arg, const char *next, uint64_t *given,
		     struct text *error)
{
	const char *equals = strchr(arg, '=');
	struct span flag = {arg + 2, equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2};
	const struct option *opt = find_option(flag);
	char name[64];
	const char *value;
	int used = 1;
	int err;

	if (!opt && !equals && span_starts(flag, "no-")) {
		opt = find_option(span_from(flag, 3));
		if (opt && opt->kind != KIND_BOOL)
			opt = NULL;
		value = "false";
	} else {
		value = equals ? equals + 1 : opt && opt->kind == KIND_BOOL ? "true" : NULL;
	}
	if (!opt)
		return fail_flag(o->command, flag, error);
	if (!(opt->commands & 1u << o->command)) {
		text_addf(error, "--%s is not an option of \"sidelight %s\"", opt->flag,
			  option_commands[o->command].name);
		return -EINVAL;
	}
	if (!value) {
		value = next;
		used = 2;
	}
	if (!value || (used == 2 && value[0] == '-' && value[1] == '-')) {
		text_addf(error, "--%s needs a value: --%s %s", opt->flag, opt->flag, opt->metavar);
		return -EINVAL;
	}
	(void)snprintf(name, sizeof(name), "--%s", opt->flag); /* flags are shorter */
	err = set_value(o, opt, name, value, error);
	*given |= 1ull << (opt - option_table);
	return err ? err : used;
}

static int read_operand(struct options *o, const char *arg, struct text *error)
{
	int command;

	if (o->command == COMMAND_REPLAY && !o->file) {
		o->file = arg;
		return 0;
	}
	if (o->command == COMMAND_HELP && o->help_on == COMMAND_HELP) {
		command = find_command(arg);
		if (command < 0)
			return fail_command(arg, error);
		o->help_on = (enum command)command;
		return 0;
	}
	text_addf(error, "unexpected argument \"%s\"; ", arg);
	if (o->command == COMMAND_RUN)
		text_addf(error, "to start a program: sidelight run -- %s ...", arg);
	else
		text_addf(error, "usage: sidelight %s %s", option_commands[o->command].name,
			  option_commands[o->command].arguments);
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
			used = read_flag(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, given,
					 error);
		else if (argv[i][0] == '-' && argv[i][1])
			return fail_flag(o->command, span_from(span_of(argv[i]), 1), error);
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
	return given >> (find_option(span_of(flag)) - option_table) & 1;
}

static int check_run(struct options *o, uint64_t given, struct text *error)
{
	int targets = (o->argv != NULL) + (o->pid != 0) + (o->cgroup != NULL);

	if (o->argv && !o->argv[0])
		text_add(error, "no program after \"--\"; usage: sidelight run -- CMD ARG...");
	else if (targets == 0)
		text_add(error, "nothing to watch; start a program with \"sidelight run -- "
				"CMD ARG...\", or join one with --pid N or --cgroup DIR");
	else if (targets > 1)
		text_add(error, "more than one thing to watch; give one of --pid N, --cgroup DIR "
				"and -- CMD ARG...");
	else if (!o->push_cert != !o->push_key)
		text_add(error, "--push-cert and --push-key go together; give both");
	else if (o->push_user_file && o->push_token_file)
		text_add(error, "--push-user-file and --push-token-file exclude one another; "
				"give one");
	if (error->len)
		return -EINVAL;
	if (!is_given(given, "summary"))
		o->has_summary = o->argv != NULL;
	return 0;
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
		command = find_command(argv[1]);
	if (command < 0)
		return fail_command(argv[1], error);
	o->command = (enum command)command;
	err = read_environment(o, environ, &given, error);
	if (!err)
		err = read_arguments(o, argc - 2, argv + 2, &given, error);
	if (!err && o->command == COMMAND_RUN)
		err = check_run(o, given, error);
	o->ring_bytes = value_round_up(o->ring_bytes);
	if (!err && o->command == COMMAND_REPLAY && !o->file) {
		text_add(error, "no capture file; usage: sidelight replay [OPTIONS] FILE.pcap");
		err = -EINVAL;
	}
	return err;
}
