/* SPDX-License-Identifier: Apache-2.0 */
#include "base/option.h"

#include <string.h>

#define HELP_COLUMN 29
#define HELP_WIDTH  79

/* Words of text, between HELP_COLUMN and HELP_WIDTH; the cursor is at *column. */
static void print_wrapped(FILE *out, const char *text, size_t *column)
{
	while (*text) {
		size_t word = strcspn(text, " ");

		if (*column + 1 + word > HELP_WIDTH) {
			(void)fprintf(out, "\n%*s", HELP_COLUMN, "");
			*column = HELP_COLUMN;
		} else {
			size_t pad = *column < HELP_COLUMN ? HELP_COLUMN - *column : 1;

			(void)fprintf(out, "%*s", (int)pad, "");
			*column += pad;
		}
		(void)fwrite(text, 1, word, out);
		*column += word;
		text += word + strspn(text + word, " ");
	}
}

static void print_option(FILE *out, const struct option *opt)
{
	struct text extra;
	size_t column;
	int n;

	text_init(&extra);
	n = fprintf(out, "  --%s%s%s", opt->flag, opt->metavar ? " " : "",
		    opt->metavar ? opt->metavar : "");
	column = n > 0 && n < HELP_COLUMN ? (size_t)n : HELP_WIDTH;
	print_wrapped(out, opt->help, &column);
	if (opt->fallback)
		text_addf(&extra, "[%s]", opt->fallback);
	if (opt->variable)
		text_addf(&extra, " %s", opt->variable);
	print_wrapped(out, extra.ptr + (extra.ptr[0] == ' '), &column);
	(void)fputc('\n', out);
	text_release(&extra);
}

static void print_commands(const struct option_set *s, FILE *out)
{
	(void)fprintf(out, "%s %s: %s\n\nCommands\n", s->program, SIDELIGHT_VERSION, s->summary);
	for (size_t i = 0; i < s->command_count; i++)
		(void)fprintf(out, "  %-11s%s\n", s->commands[i].name, s->commands[i].help);
	(void)fprintf(out, "\nUsage\n");
	for (size_t i = 0; i < s->command_count; i++)
		(void)fprintf(out, "  %s %s %s\n", s->program, s->commands[i].name,
			      s->commands[i].arguments);
}

void option_help(const struct option_set *s, FILE *out, int command)
{
	unsigned mask = command < 0 ? ~0u : 1u << command;
	const char *section = NULL;
	const char *printed = NULL;

	if (command < 0)
		print_commands(s, out);
	else
		(void)fprintf(out, "usage: %s %s %s\n%s\n", s->program, s->commands[command].name,
			      s->commands[command].arguments, s->commands[command].help);
	for (size_t i = 0; i < s->option_count; i++) {
		section = s->options[i].section ? s->options[i].section : section;
		if (!(s->options[i].commands & mask))
			continue;
		if (section != printed)
			(void)fprintf(out, "\n%s\n", section);
		printed = section;
		print_option(out, &s->options[i]);
	}
	(void)fprintf(out, "\n%s\n", s->last_line);
}
