/* SPDX-License-Identifier: Apache-2.0 */
#include "base/option.h"

#include <errno.h>
#include <string.h>

#include "base/value.h"

int option_command_find(const struct option_set *s, const char *name)
{
	for (size_t i = 0; i < s->command_count; i++)
		if (strcmp(s->commands[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

size_t option_first_row(const struct option_set *s, size_t i)
{
	size_t first = 0;

	while (strcmp(s->options[first].flag, s->options[i].flag) != 0)
		first++;
	return first;
}

const struct option *option_find(const struct option_set *s, struct span flag)
{
	for (size_t i = 0; i < s->option_count; i++)
		if (span_is(flag, s->options[i].flag))
			return &s->options[i];
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

int option_fail_command(const struct option_set *s, const char *given, struct text *error)
{
	struct guess g = {NULL, SIZE_MAX};

	for (size_t i = 0; i < s->command_count; i++)
		guess_try(&g, s->commands[i].name, span_of(given));
	text_addf(error, "unknown command \"%s\"; ", given);
	if (g.name)
		text_addf(error, "did you mean \"%s\"? ", g.name);
	text_addf(error, "\"%s help\" lists them all", s->program);
	return -EINVAL;
}

int option_fail_flag(const struct option_set *s, int command, struct span given, struct text *error)
{
	struct guess g = {NULL, SIZE_MAX};

	for (size_t i = 0; i < s->option_count; i++)
		if (s->options[i].commands & 1u << command)
			guess_try(&g, s->options[i].flag, given);
	text_addf(error, "unknown option --%.*s; ", SPAN_ARG(given));
	if (g.name)
		text_addf(error, "did you mean --%s? ", g.name);
	text_addf(error, "\"%s %s --help\" lists them all", s->program, s->commands[command].name);
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

int option_set_value(const struct option *opt, void *into, const char *name, const char *value,
		     struct text *error)
{
	void *at = (char *)into + opt->offset;
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

int option_read_environment(const struct option_set *s, int command, void *into,
			    char *const *environ, option_bits *given, struct text *error)
{
	for (size_t i = 0; i < s->option_count; i++) {
		const struct option *opt = &s->options[i];
		const char *value = NULL;
		int err = 0;

		if (opt->fallback)
			err = option_set_value(opt, into, opt->flag, opt->fallback, error);
		if (opt->variable && opt->commands & 1u << command)
			value = find_variable(environ, opt->variable);
		if (!err && value && *value) {
			err = option_set_value(opt, into, opt->variable, value, error);
			*given |= (option_bits)1 << i;
		}
		if (err)
			return err;
	}
	return 0;
}

static bool is_of_service(struct span name)
{
	return memmem(name.ptr, name.len, "_SERVICE_", 9) ||
	       memmem(name.ptr, name.len, "_PORT_", 6) ||
	       (name.len >= 5 && memcmp(name.ptr + name.len - 5, "_PORT", 5) == 0);
}

void option_unknown_variables(const struct option_set *s, const char *prefix, char *const *environ,
			      void (*fn)(struct span name, const char *guess))
{
	size_t len = strlen(prefix);

	for (; *environ; environ++) {
		struct span name = {*environ, strcspn(*environ, "=")};
		struct guess g = {NULL, SIZE_MAX};
		bool is_known = false;

		if (!span_starts(name, prefix) || is_of_service(name))
			continue;
		for (size_t i = 0; i < s->option_count; i++) {
			const char *variable = s->options[i].variable;

			if (!variable)
				continue;
			is_known |= span_is(name, variable);
			guess_try(&g, variable + len, span_from(name, len));
		}
		if (!is_known)
			fn(name, g.name ? g.name - len : NULL);
	}
}

/* The row of a flag that the command has; else, for the error, any row of it, or NULL. */
static const struct option *find_of(const struct option_set *s, struct span flag, int command)
{
	for (size_t i = 0; i < s->option_count; i++)
		if (s->options[i].commands & 1u << command && span_is(flag, s->options[i].flag))
			return &s->options[i];
	return option_find(s, flag);
}

int option_read_flag(const struct option_set *s, int command, void *into, const char *arg,
		     const char *next, option_bits *given, struct text *error)
{
	const char *equals = strchr(arg, '=');
	struct span flag = {arg + 2, equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2};
	const struct option *opt = find_of(s, flag, command);
	char name[64];
	const char *value;
	int used = 1;
	int err;

	if (!opt && !equals && span_starts(flag, "no-")) {
		opt = find_of(s, span_from(flag, 3), command);
		if (opt && opt->kind != KIND_BOOL)
			opt = NULL;
		value = "false";
	} else {
		value = equals ? equals + 1 : opt && opt->kind == KIND_BOOL ? "true" : NULL;
	}
	if (!opt)
		return option_fail_flag(s, command, flag, error);
	if (!(opt->commands & 1u << command)) {
		text_addf(error, "--%s is not an option of \"%s %s\"", opt->flag, s->program,
			  s->commands[command].name);
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
	err = option_set_value(opt, into, name, value, error);
	*given |= (option_bits)1 << (opt - s->options);
	return err ? err : used;
}
