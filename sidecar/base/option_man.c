/* SPDX-License-Identifier: Apache-2.0 */
#include "base/option.h"

#include <ctype.h>
#include <string.h>

/*
 * Text as troff takes it literally: "-" is a minus that can be copied, and a point or an apostrophe
 * begins no request.
 */
static void print_text(FILE *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		(void)fputs("\\&", out);
	for (; *s; s++) {
		if (*s == '-')
			(void)fputs("\\-", out);
		else if (*s == '\\')
			(void)fputs("\\e", out);
		else if (*s == '\'')
			(void)fputs("\\(aq", out);
		else if (*s == '`' || *s == '^' || *s == '~')
			(void)fprintf(out, "\\(%s", *s == '`' ? "ga" : *s == '^' ? "ha" : "ti");
		else
			(void)fputc(*s, out);
	}
}

static void print_bold(FILE *out, const char *prefix, const char *s)
{
	(void)fputs("\\fB", out);
	print_text(out, prefix);
	print_text(out, s);
	(void)fputs("\\fR", out);
}

/* "Commands: run, replay."; nothing if all that take options have it. */
static void print_commands_of(const struct option_set *s, FILE *out, const struct option *opt)
{
	const char *separator = ".br\nCommands: ";
	unsigned all = (unsigned)((UINT64_C(1) << s->command_count) - 1);

	if ((opt->commands & all) == all)
		return;
	for (size_t i = 0; i < s->command_count; i++) {
		if (!(opt->commands >> i & 1))
			continue;
		(void)fputs(separator, out);
		print_bold(out, "", s->commands[i].name);
		separator = ", ";
	}
	(void)fputs(".\n", out);
}

static void print_option(const struct option_set *s, FILE *out, const struct option *opt)
{
	(void)fputs(".TP\n", out);
	print_bold(out, "--", opt->flag);
	if (opt->metavar) {
		(void)fputs(" \\fI", out);
		print_text(out, opt->metavar);
		(void)fputs("\\fR", out);
	}
	(void)fputc('\n', out);
	print_text(out, opt->help);
	if (opt->fallback) {
		(void)fputs(" [", out);
		print_text(out, opt->fallback);
		(void)fputc(']', out);
	}
	(void)fputc('\n', out);
	if (opt->variable) {
		(void)fputs(".br\n", out);
		print_text(out, opt->variable);
		(void)fputc('\n', out);
	}
	print_commands_of(s, out, opt);
}

static void print_synopsis(const struct option_set *s, FILE *out)
{
	(void)fputs(".SH SYNOPSIS\n.nf\n", out);
	for (size_t i = 0; i < s->command_count; i++) {
		print_bold(out, "", s->program);
		(void)fputc(' ', out);
		print_bold(out, "", s->commands[i].name);
		(void)fputc(' ', out);
		print_text(out, s->commands[i].arguments);
		(void)fputc('\n', out);
	}
	(void)fputs(".fi\n", out);
}

void option_man(const struct option_set *s, FILE *out)
{
	(void)fputs(".TH \"", out);
	for (const char *c = s->program; *c; c++)
		(void)fputc(toupper((unsigned char)*c), out);
	(void)fprintf(out, "\" 1 \"\" \"%s %s\" \"User Commands\"\n", s->program,
		      SIDELIGHT_VERSION);
	(void)fputs(".nh\n.ad l\n.SH NAME\n", out);
	print_text(out, s->program);
	(void)fputs(" \\- ", out);
	print_text(out, s->summary);
	(void)fputc('\n', out);
	print_synopsis(s, out);
	(void)fputs(".SH COMMANDS\n", out);
	for (size_t i = 0; i < s->command_count; i++) {
		(void)fputs(".TP\n", out);
		print_bold(out, "", s->commands[i].name);
		(void)fputc('\n', out);
		print_text(out, s->commands[i].help);
		(void)fputc('\n', out);
	}
	(void)fputs(".SH OPTIONS\n", out);
	print_text(out, s->last_line);
	(void)fputc('\n', out);
	for (size_t i = 0; i < s->option_count; i++) {
		if (s->options[i].section) {
			(void)fputs(".SS \"", out);
			print_text(out, s->options[i].section);
			(void)fputs("\"\n", out);
		}
		print_option(s, out, &s->options[i]);
	}
}
