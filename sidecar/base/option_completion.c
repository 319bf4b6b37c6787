/* SPDX-License-Identifier: Apache-2.0 */
#include "base/option.h"

#include <stdbool.h>
#include <string.h>

/* What completes a value. */
enum value_kind { VALUE_NONE, VALUE_UNKNOWN, VALUE_WORDS, VALUE_FILE, VALUE_DIR, VALUE_COMMAND };

/* Of an option, by its metavar. */
static enum value_kind value_of(const struct option *opt)
{
	if (opt->kind == KIND_BOOL)
		return VALUE_NONE;
	if (opt->kind == KIND_WORD)
		return VALUE_WORDS;
	if (strcmp(opt->metavar, "FILE") == 0)
		return VALUE_FILE;
	return strcmp(opt->metavar, "DIR") == 0 ? VALUE_DIR : VALUE_UNKNOWN;
}

/* Of a command's operand, by its arguments: "[OPTIONS] FILE.pcap", "[COMMAND]", "bash|zsh". */
static enum value_kind operand_of(const struct option_command *command)
{
	const char *space = strrchr(command->arguments, ' ');
	const char *last = space ? space + 1 : command->arguments;

	if (strncmp(last, "FILE.", 5) == 0 || strncmp(last, "[FILE.", 6) == 0)
		return VALUE_FILE;
	if (strcmp(command->arguments, "[COMMAND]") == 0)
		return VALUE_COMMAND;
	return !space && strchr(last, '|') ? VALUE_WORDS : VALUE_NONE;
}

/* "a|b|c" as "a b c". */
static void print_words(FILE *out, const char *words)
{
	for (; *words; words++)
		(void)fputc(*words == '|' ? ' ' : *words, out);
}

static void print_command_names(const struct option_set *s, FILE *out)
{
	for (size_t i = 0; i < s->command_count; i++)
		(void)fprintf(out, "%s%s", i ? " " : "", s->commands[i].name);
}

/* "sidelight-webhook" as the name of a function. */
static void print_function(const struct option_set *s, FILE *out)
{
	(void)fputc('_', out);
	for (const char *c = s->program; *c; c++)
		(void)fputc(*c == '-' ? '_' : *c, out);
}

/* How much of a help is one short sentence: to the first ";" or ":", outside of brackets. */
static size_t short_help(const char *help)
{
	size_t len = strcspn(help, ";:");
	size_t open = strcspn(help, "([");
	size_t closed = strcspn(help, ")]");

	if (open < len && closed > len)
		len = open;
	while (len && help[len - 1] == ' ')
		len--;
	return len;
}

/*
 * The short help, in single quotes: `special` get a backslash, and a quote is
 * written as `quote`.
 */
static void print_help(FILE *out, const char *help, const char *special, const char *quote)
{
	size_t len = short_help(help);

	for (size_t i = 0; i < len; i++) {
		if (strchr(special, help[i]))
			(void)fputc('\\', out);
		if (help[i] == '\'')
			(void)fputs(quote, out);
		else
			(void)fputc(help[i], out);
	}
}

static void print_zsh_help(FILE *out, const char *help)
{
	print_help(out, help, "[]\\", "'\\''");
}

static void print_fish_help(FILE *out, const char *help)
{
	print_help(out, help, "\\", "\\'");
}

/* The options of bash whose values one thing completes, as a pattern of case. */
static bool print_pattern(const struct option_set *s, FILE *out, enum value_kind kind)
{
	bool has_one = false;

	for (size_t i = 0; i < s->option_count; i++) {
		if (value_of(&s->options[i]) != kind)
			continue;
		(void)fprintf(out, "%s--%s", has_one ? " | " : "\t", s->options[i].flag);
		has_one = true;
	}
	return has_one;
}

static void print_bash_command(const struct option_set *s, FILE *out, size_t command)
{
	const struct option_command *c = &s->commands[command];
	enum value_kind operand = operand_of(c);

	(void)fprintf(out, "\t\t\t%s)\n", c->name);
	if (operand == VALUE_FILE)
		(void)fputs("\t\t\t\tis_file=1\n", out);
	(void)fputs("\t\t\t\twords='", out);
	if (operand == VALUE_COMMAND)
		print_command_names(s, out);
	else if (operand == VALUE_WORDS)
		print_words(out, c->arguments);
	for (size_t i = 0; i < s->option_count; i++)
		if (s->options[i].commands >> command & 1)
			(void)fprintf(out, " --%s", s->options[i].flag);
	(void)fputs(" --help'\n\t\t\t\t;;\n", out);
}

static void print_bash(const struct option_set *s, FILE *out)
{
	print_function(s, out);
	(void)fputs("() {\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		    "\tlocal words= is_file= i\n"
		    "\tCOMPREPLY=()\n"
		    "\t# --flag=value is three words\n"
		    "\tif [ \"$cur\" = = ]; then\n"
		    "\t\tcur=\n"
		    "\telif [ \"$prev\" = = ]; then\n"
		    "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
		    "\tfi\n"
		    "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
		    "\t\tif [ \"${COMP_WORDS[i]}\" = -- ]; then\n"
		    "\t\t\tcompopt -o default 2>/dev/null\n"
		    "\t\t\treturn\n"
		    "\t\tfi\n"
		    "\tdone\n"
		    "\tcase $prev in\n",
		    out);
	for (size_t i = 0; i < s->option_count; i++) {
		if (value_of(&s->options[i]) != VALUE_WORDS || option_first_row(s, i) != i)
			continue;
		(void)fprintf(out, "\t--%s) words='", s->options[i].flag);
		print_words(out, s->options[i].metavar);
		for (size_t j = i + 1; j < s->option_count; j++) {
			if (option_first_row(s, j) != i)
				continue;
			(void)fputc(' ', out);
			print_words(out, s->options[j].metavar);
		}
		(void)fputs("' ;;\n", out);
	}
	if (print_pattern(s, out, VALUE_FILE))
		(void)fputs(") is_file=1 ;;\n", out);
	if (print_pattern(s, out, VALUE_DIR))
		(void)fputs(") is_file=1 ;;\n", out);
	if (print_pattern(s, out, VALUE_UNKNOWN))
		(void)fputs(") return ;;\n", out);
	(void)fputs("\t*)\n\t\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\t\twords='", out);
	print_command_names(s, out);
	(void)fputs("'\n\t\telse\n\t\t\tcase ${COMP_WORDS[1]} in\n", out);
	for (size_t i = 0; i < s->command_count; i++)
		print_bash_command(s, out, i);
	(void)fputs("\t\t\tesac\n"
		    "\t\tfi\n"
		    "\t\t;;\n"
		    "\tesac\n"
		    "\tif [ -n \"$is_file\" ] && [[ $cur != -* ]]; then\n"
		    "\t\tcompopt -o filenames 2>/dev/null\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		    "\telse\n"
		    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		    "\tfi\n"
		    "}\n"
		    "complete -F ",
		    out);
	print_function(s, out);
	(void)fprintf(out, " %s\n", s->program);
}

static void print_zsh_option(FILE *out, const struct option *opt)
{
	enum value_kind kind = value_of(opt);

	(void)fprintf(out, " \\\n\t\t\t'--%s%s[", opt->flag, kind == VALUE_NONE ? "" : "=");
	print_zsh_help(out, opt->help);
	(void)fputc(']', out);
	if (kind == VALUE_WORDS) {
		(void)fputs(":word:(", out);
		print_words(out, opt->metavar);
		(void)fputc(')', out);
	} else if (kind != VALUE_NONE) {
		(void)fprintf(out, ":value:%s",
			      kind == VALUE_FILE  ? "_files"
			      : kind == VALUE_DIR ? "_files -/"
						  : "");
	}
	(void)fputc('\'', out);
}

static void print_zsh(const struct option_set *s, FILE *out)
{
	(void)fprintf(out, "#compdef %s\n", s->program);
	print_function(s, out);
	(void)fputs("() {\n\tlocal -a commands=(\n", out);
	for (size_t i = 0; i < s->command_count; i++) {
		(void)fprintf(out, "\t\t'%s:", s->commands[i].name);
		print_zsh_help(out, s->commands[i].help);
		(void)fputs("'\n", out);
	}
	(void)fputs("\t)\n"
		    "\tif ((CURRENT == 2)); then\n"
		    "\t\t_describe command commands\n"
		    "\t\treturn\n"
		    "\tfi\n"
		    "\tshift words\n"
		    "\t((CURRENT--))\n"
		    "\tcase $words[1] in\n",
		    out);
	for (size_t c = 0; c < s->command_count; c++) {
		enum value_kind operand = operand_of(&s->commands[c]);

		(void)fprintf(out, "\t%s)\n\t\t_arguments '--help[this command]'",
			      s->commands[c].name);
		for (size_t i = 0; i < s->option_count; i++)
			if (s->options[i].commands >> c & 1)
				print_zsh_option(out, &s->options[i]);
		if (operand == VALUE_FILE)
			(void)fputs(" \\\n\t\t\t'*:file:_files'", out);
		if (operand == VALUE_COMMAND || operand == VALUE_WORDS) {
			(void)fputs(" \\\n\t\t\t'1:word:(", out);
			if (operand == VALUE_COMMAND)
				print_command_names(s, out);
			else
				print_words(out, s->commands[c].arguments);
			(void)fputs(")'", out);
		}
		(void)fputs("\n\t\t;;\n", out);
	}
	(void)fputs("\tesac\n}\n", out);
	(void)fputs("if [ \"$funcstack[1]\" = ", out);
	print_function(s, out);
	(void)fputs(" ]; then\n\t", out);
	print_function(s, out);
	(void)fputs(" \"$@\"\nelse\n\tcompdef ", out);
	print_function(s, out);
	(void)fprintf(out, " %s\nfi\n", s->program);
}

/* "-n '__fish_seen_subcommand_from run replay'" */
static void print_fish_condition(const struct option_set *s, FILE *out, unsigned commands)
{
	(void)fputs(" -n '__fish_seen_subcommand_from", out);
	for (size_t i = 0; i < s->command_count; i++)
		if (commands >> i & 1)
			(void)fprintf(out, " %s", s->commands[i].name);
	(void)fputc('\'', out);
}

static void print_fish_operand(const struct option_set *s, FILE *out, size_t command)
{
	enum value_kind operand = operand_of(&s->commands[command]);

	if (operand == VALUE_NONE)
		return;
	(void)fprintf(out, "complete -c %s", s->program);
	print_fish_condition(s, out, 1u << command);
	if (operand == VALUE_FILE) {
		(void)fputs(" -F\n", out);
		return;
	}
	(void)fputs(" -a '", out);
	if (operand == VALUE_COMMAND)
		print_command_names(s, out);
	else
		print_words(out, s->commands[command].arguments);
	(void)fputs("'\n", out);
}

static void print_fish_option(const struct option_set *s, FILE *out, const struct option *opt)
{
	enum value_kind kind = value_of(opt);

	(void)fprintf(out, "complete -c %s", s->program);
	print_fish_condition(s, out, opt->commands);
	(void)fprintf(out, " -l %s", opt->flag);
	if (kind == VALUE_WORDS) {
		(void)fputs(" -x -a '", out);
		print_words(out, opt->metavar);
		(void)fputc('\'', out);
	} else if (kind != VALUE_NONE) {
		(void)fputs(kind == VALUE_FILE	? " -r -F"
			    : kind == VALUE_DIR ? " -x -a '(__fish_complete_directories)'"
						: " -x",
			    out);
	}
	(void)fputs(" -d '", out);
	print_fish_help(out, opt->help);
	(void)fputs("'\n", out);
}

static void print_fish(const struct option_set *s, FILE *out)
{
	(void)fprintf(out, "complete -c %s -f\n", s->program);
	for (size_t i = 0; i < s->command_count; i++) {
		(void)fprintf(out, "complete -c %s -n __fish_use_subcommand -a %s -d '", s->program,
			      s->commands[i].name);
		print_fish_help(out, s->commands[i].help);
		(void)fputs("'\n", out);
		print_fish_operand(s, out, i);
	}
	for (size_t i = 0; i < s->option_count; i++)
		print_fish_option(s, out, &s->options[i]);
}

void option_completion(const struct option_set *s, FILE *out, enum option_shell shell)
{
	static void (*const printers[OPTION_SHELLS])(const struct option_set *s, FILE *out) = {
		[OPTION_BASH] = print_bash,
		[OPTION_ZSH] = print_zsh,
		[OPTION_FISH] = print_fish,
	};

	printers[shell](s, out);
}
