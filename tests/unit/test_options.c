/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/option_table.h"

#define ARGS_MAX 10

/* Borrowed strings of a parsed struct live as long as the words given; o->argv until the next call.
 */
static int parse(struct options *o, const char *const *args, const char *const *env,
		 struct text *error)
{
	static const char *const none[] = {NULL};
	static const char *argv[ARGS_MAX + 2];
	int argc = 1;

	text_init(error);
	memset(argv, 0, sizeof(argv));
	argv[0] = "sidelight";
	for (; *args; args++)
		argv[argc++] = *args;
	return options_parse(o, argc, (char **)argv, (char *const *)(env ? env : none), error);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *why;
		const char *args[ARGS_MAX];
		const char *env[3];
		const char *want; /* part of the line */
	} rows[] = {
		{"no command", {NULL}, {NULL}, "no command"},
		{"unknown command", {"rnu"}, {NULL}, "did you mean \"run\"?"},
		{"nothing like a command", {"xyzzy"}, {NULL}, "\"xyzzy\"; \"sidelight help\""},
		{"two targets", {"run", "--pid", "1", "--", "x"}, {NULL}, "more than one"},
		{"no program", {"run", "--"}, {NULL}, "no program"},
		{"program without --", {"run", "nginx"}, {NULL}, "sidelight run -- nginx"},
		{"unknown flag", {"run", "--psuh", "x"}, {NULL}, "did you mean --push?"},
		{"a guess is an option of the command",
		 {"doctor", "--push"},
		 {NULL},
		 "not an option of \"sidelight doctor\""},
		{"a recorder of no size",
		 {"run", "--recorder", "on"},
		 {NULL},
		 "neither off nor a number"},
		{"a recorder of no use", {"run", "--recorder=2"}, {NULL}, "a number from 16 to"},
		{"buckets that are no numbers",
		 {"run", "--buckets", "5ms"},
		 {NULL},
		 "--buckets: \"5ms\": a bound is a number of seconds"},
		{"buckets that do not ascend", {"replay", "--buckets=1,.5", "x"}, {NULL}, "ascend"},
		{"buckets of the environment", {"run"}, {"SIDELIGHT_BUCKETS=1,"}, "is empty"},
		{"a kind of histogram that there is not",
		 {"run", "--histograms=sparse"},
		 {NULL},
		 "classic|native|both"},
		{"routes have no round trip",
		 {"top", "--sort", "rtt"},
		 {NULL},
		 "needs --by connection"},
		{"connections have no percentiles",
		 {"top", "--by=connection", "--sort=p99"},
		 {NULL},
		 "sorts by requests, rtt"},
		{"short flags there are none", {"run", "-p", "1"}, {NULL}, "unknown option"},
		{"flag of another command",
		 {"run", "--metrics"},
		 {NULL},
		 "--metrics is not an option of \"sidelight run\""},
		{"no value", {"run", "--push"}, {NULL}, "needs a value: --push URL"},
		{"a flag as value", {"run", "--job", "--pid", "1"}, {NULL}, "--job needs a value"},
		{"empty value", {"run", "--job=", "--pid", "1"}, {NULL}, "--job must not be empty"},
		{"no- before what is no truth value",
		 {"run", "--no-push", "--pid", "1"},
		 {NULL},
		 "unknown option --no-push"},
		{"number out of range", {"run", "--pid", "0"}, {NULL}, "from 1 to 2147483647"},
		{"no number",
		 {"run", "--route-cap", "many"},
		 {NULL},
		 "\"many\" is not a whole number"},
		{"interval too short",
		 {"run", "--push-interval", "1ms"},
		 {NULL},
		 "at least 100 ms"},
		{"no URL", {"run", "--push", "gw:9091"}, {NULL}, "http://"},
		{"no word", {"run", "--push-on-exit", "kill"}, {NULL}, "one of delete|keep"},
		{"variable named in its error",
		 {"run", "--pid", "1"},
		 {"SIDELIGHT_CONN_CAP=gw"},
		 "SIDELIGHT_CONN_CAP: \"gw\""},
		{"certificate without key",
		 {"run", "--pid", "1", "--push-cert", "a"},
		 {NULL},
		 "give both"},
		{"two ways to authenticate",
		 {"run", "--pid", "1", "--push-user-file", "a"},
		 {"SIDELIGHT_PUSH_TOKEN_FILE=b"},
		 "exclude"},
		{"a name that says no format",
		 {"export", "--output", "x.txt"},
		 {NULL},
		 "which --format? export prints ndjson, json, csv, xlsx or har"},
		{"a format of another command",
		 {"trace", "--format", "csv"},
		 {NULL},
		 "--format csv: trace prints table, ndjson or har"},
		{"two formats there are",
		 {"top", "--once", "--format", "xlsx"},
		 {NULL},
		 "table or json"},
		{"a filter of export",
		 {"export", "--output", "x.csv", "--count", "x"},
		 {NULL},
		 "count"},
		{"no shell", {"completion"}, {NULL}, "for which shell?"},
		{"a shell that is not known",
		 {"completion", "csh"},
		 {NULL},
		 "bash|zsh|fish|kubectl"},
		{"no file", {"replay"}, {NULL}, "no capture file"},
		{"two files", {"replay", "a", "b"}, {NULL}, "unexpected argument \"b\""},
		{"argument of doctor", {"doctor", "b"}, {NULL}, "usage: sidelight doctor"},
		{"help on nothing", {"help", "rum"}, {NULL}, "did you mean \"run\"?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;
		int err = parse(&o, rows[i].args, rows[i].env, &error);

		if (err != -EINVAL || !strstr(error.ptr, rows[i].want) || strchr(error.ptr, '\n'))
			fail_msg("%s: %d, %s", rows[i].why, err, error.ptr);
		text_release(&error);
	}
}

static void test_defaults(void **state)
{
	static const char *const args[] = {"run", "--pid", "7", NULL};
	struct options o;
	struct text error;

	(void)state;
	assert_int_equal(parse(&o, args, NULL, &error), 0);
	assert_int_equal(o.command, COMMAND_RUN);
	assert_int_equal(o.pid, 7);
	assert_null(o.argv);
	assert_false(o.has_summary);
	assert_null(o.push);
	assert_int_equal(o.push_interval_ms, 15000);
	assert_int_equal(o.push_on_exit, ON_EXIT_DELETE);
	assert_int_equal(o.route_cap, 100);
	assert_int_equal(o.ring_bytes, 2u << 20);
	assert_int_equal(o.memory_bytes, 0);
	assert_int_equal(o.for_ms, 0);
	assert_int_equal(o.log_level, LOG_LEVEL_INFO);
	text_release(&error);
}

/* In a Pod there is nothing to name. */
static void test_no_target(void **state)
{
	static const char *const args[] = {"run", "--containers", "web,api", NULL};
	struct options o;
	struct text error;

	(void)state;
	assert_int_equal(parse(&o, args, NULL, &error), 0);
	assert_true(!o.argv && !o.pid && !o.cgroup && !o.has_summary);
	assert_string_equal(o.containers, "web,api");
	text_release(&error);
}

static void test_annotations(void **state)
{
	static const char *const args[] = {"run", "--push-interval", "30", NULL};
	static const char *const env[] = {"SIDELIGHT_ROUTES=/a", "SIDELIGHT_LOG_LEVEL=warn", NULL};
	static const struct {
		const char *why;
		const char *key;
		const char *value;
		int err;
		const char *routes;
		int log_level;
	} rows[] = {
		{"over a variable", "sidelight.dev/routes", "/b", 0, "/b", LOG_LEVEL_WARN},
		{"an empty one is none", "sidelight.dev/routes", "", 0, "/a", LOG_LEVEL_WARN},
		{"a word", "sidelight.dev/log-level", "debug", 0, "/a", LOG_LEVEL_DEBUG},
		{"not one", "sidelight.dev/log-level", "loud", -EINVAL, "/a", LOG_LEVEL_WARN},
		{"a flag wins, so nobody looks", "sidelight.dev/push-interval", "x", 0, "/a",
		 LOG_LEVEL_WARN},
		{"what cannot change", "sidelight.dev/pid", "1", 0, "/a", LOG_LEVEL_WARN},
		{"the webhook's", "sidelight.dev/inject", "true", 0, "/a", LOG_LEVEL_WARN},
		{"somebody else's", "example.com/routes", "/b", 0, "/a", LOG_LEVEL_WARN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;
		int err;

		assert_int_equal(parse(&o, args, env, &error), 0);
		err = options_annotate(&o, rows[i].key, rows[i].value, &error);
		if (err != rows[i].err || strcmp(o.routes, rows[i].routes) != 0 ||
		    o.log_level != rows[i].log_level || o.push_interval_ms != 30000 ||
		    (err != 0) != (strstr(error.ptr, rows[i].key) != NULL))
			fail_msg("%s: %d, %s, %d, \"%s\"", rows[i].why, err, o.routes, o.log_level,
				 error.ptr);
		text_release(&error);
	}
}

static void test_flag_over_variable(void **state)
{
	static const char *const args[] = {"run",
					   "--push=http://b",
					   "--no-body-sizes",
					   "--ring-bytes",
					   "3M",
					   "--",
					   "cmd",
					   "--push",
					   NULL};
	static const char *const env[] = {
		"SIDELIGHT_PUSH=http://a",	    "SIDELIGHT_BODY_SIZES=true",
		"SIDELIGHT_PUSH_INTERVAL=2m",	    "SIDELIGHT_JOB=",
		"SIDELIGHT_PUSH_ON_EXIT=keep",	    "SIDELIGHT_PUSHX=1",
		"SIDELIGHT_PORT=tcp://10.0.0.1:80", NULL};
	struct options o;
	struct text error;

	(void)state;
	assert_int_equal(parse(&o, args, env, &error), 0);
	assert_string_equal(o.push, "http://b");
	assert_false(o.has_body_sizes);
	assert_int_equal(o.push_interval_ms, 120000);
	assert_null(o.job); /* empty is not set */
	assert_int_equal(o.push_on_exit, ON_EXIT_KEEP);
	assert_int_equal(o.ring_bytes, 4u << 20);
	assert_string_equal(o.argv[0], "cmd");
	assert_string_equal(o.argv[1], "--push"); /* CMD's own */
	assert_null(o.argv[2]);
	text_release(&error);
}

static void test_summary(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		const char *env[2];
		bool want;
	} rows[] = {
		{{"run", "--", "x"}, {NULL}, true},
		{{"run", "--no-summary", "--", "x"}, {NULL}, false},
		{{"run", "--", "x"}, {"SIDELIGHT_SUMMARY=no"}, false},
		{{"run", "--pid", "1"}, {NULL}, false},
		{{"run", "--pid", "1", "--summary"}, {NULL}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;

		assert_int_equal(parse(&o, rows[i].args, rows[i].env, &error), 0);
		assert_int_equal(o.has_summary, rows[i].want);
		text_release(&error);
	}
}

static void test_commands(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		enum command want;
		enum command want_on;
	} rows[] = {
		{{"help"}, COMMAND_HELP, COMMAND_HELP},
		{{"--help"}, COMMAND_HELP, COMMAND_HELP},
		{{"-h"}, COMMAND_HELP, COMMAND_HELP},
		{{"help", "replay"}, COMMAND_HELP, COMMAND_REPLAY},
		{{"run", "--help"}, COMMAND_HELP, COMMAND_RUN},
		{{"run", "--push", "http://a", "-h"}, COMMAND_HELP, COMMAND_RUN},
		{{"version"}, COMMAND_VERSION, COMMAND_HELP},
		{{"--version"}, COMMAND_VERSION, COMMAND_HELP},
		{{"replay", "-", "--metrics"}, COMMAND_REPLAY, COMMAND_HELP},
		{{"doctor", "--format", "json"}, COMMAND_DOCTOR, COMMAND_HELP},
		{{"completion", "kubectl"}, COMMAND_COMPLETION, COMMAND_HELP},
		{{"man"}, COMMAND_MAN, COMMAND_HELP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;

		if (parse(&o, rows[i].args, NULL, &error))
			fail_msg("%s: %s", rows[i].args[0], error.ptr);
		assert_int_equal(o.command, rows[i].want);
		assert_int_equal(o.help_on, rows[i].want_on);
		text_release(&error);
	}
}

/* The end of a file's name says its format, unless a flag does. */
static void test_format_of_a_file(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		enum request_format want;
	} rows[] = {
		{{"export", "--output", "a.xlsx"}, FORMAT_XLSX},
		{{"export", "--output", "a.b/c.har"}, FORMAT_HAR},
		{{"export", "--output=a.csv", "--format=json"}, FORMAT_JSON},
		{{"export", "--format", "ndjson"}, FORMAT_NDJSON},
		{{"replay", "a", "--output", "a.csv"}, FORMAT_CSV},
		{{"replay", "a", "--output", "a.txt"}, FORMAT_TABLE},
		{{"replay", "a.csv"}, FORMAT_TABLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options o;
		struct text error;

		assert_int_equal(parse(&o, rows[i].args, NULL, &error), 0);
		assert_int_equal(o.format, rows[i].want);
		text_release(&error);
	}
}

/* Each variable is its flag's name, and each row is on the page of a command. */
static void test_table(void **state)
{
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);

	(void)state;
	assert_non_null(out);
	for (int c = 0; c < COMMAND_MAX; c++)
		if (c != COMMAND_HELP)
			options_help(out, (enum command)c);
	assert_int_equal(fclose(out), 0);
	for (size_t i = 0; i < option_count; i++) {
		struct text variable;
		struct text flag;

		text_init(&variable);
		text_init(&flag);
		text_addf(&flag, "  --%s", option_table[i].flag);
		text_add(&variable, "SIDELIGHT_");
		for (const char *p = option_table[i].flag; *p; p++)
			text_add_char(&variable, *p == '-' ? '_' : (char)toupper(*p));
		if (option_table[i].variable)
			assert_string_equal(variable.ptr, option_table[i].variable);
		assert_non_null(strstr(page, flag.ptr));
		assert_true(option_table[i].kind == KIND_BOOL || option_table[i].metavar);
		text_release(&variable);
		text_release(&flag);
	}
	for (char *line = strtok(page, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) > 80)
			fail_msg("wider than a terminal: %s", line);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_no_target),
		cmocka_unit_test(test_flag_over_variable),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_format_of_a_file),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
