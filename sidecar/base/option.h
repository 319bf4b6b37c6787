/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands and options of a program as tables: what is read by them, and the
 * help that is printed from them.
 *
 *     program COMMAND --flag VALUE --flag=VALUE --no-flag
 *
 * A row says where in the program's own struct its value goes (offset). The
 * environment gives the defaults, a flag wins; an empty variable counts as
 * not set, and a variable that the command has no use for is not looked at.
 * Truth values: --flag, --no-flag, --flag=true|false|yes|no|on|off|1|0.
 *
 * What fails returns -EINVAL after adding one line to error, without a line
 * end, that says what is wrong and what to do.
 */
#ifndef SIDELIGHT_BASE_OPTION_H
#define SIDELIGHT_BASE_OPTION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/span.h"
#include "base/text.h"

enum option_kind {
	KIND_BOOL, /* bool */
	KIND_TEXT, /* const char * */
	KIND_ADDRESS, /* const char *: HOST:PORT */
	KIND_URL, /* const char * */
	KIND_WORD, /* int: position in words */
	KIND_NUMBER, /* uint64_t, in [min, max] */
	KIND_BYTES, /* likewise */
	KIND_DURATION, /* likewise, in milliseconds */
};

/* May change while the program runs. */
#define OPTION_IS_LIVE (1u << 31)

struct option {
	const char *section; /* starts a section of the help */
	const char *flag;
	const char *variable; /* NULL: a flag only */
	const char *metavar; /* KIND_WORD: the words, "a|b|c"; KIND_BOOL: NULL */
	const char *fallback; /* the default, as a user would write it; NULL: nothing */
	const char *help;
	enum option_kind kind;
	unsigned commands; /* bit i: command i has it; OPTION_IS_LIVE */
	size_t offset;
	uint64_t min;
	uint64_t max;
};

struct option_command {
	const char *name;
	const char *arguments;
	const char *help;
};

/* Bit i stands for row i of a table. */
__extension__ typedef unsigned __int128 option_bits;

/* One program's. No more rows than option_bits has bits. */
struct option_set {
	const char *program;
	const char *summary; /* what it is for; at most 40 characters or so */
	const char *last_line; /* of the help */
	const struct option_command *commands;
	size_t command_count;
	const struct option *options;
	size_t option_count;
};

/* The first row with the flag of row i, of which two commands may have one each. */
size_t option_first_row(const struct option_set *s, size_t i);

/* The first row of a flag without its dashes, or NULL. Commands may have rows of their own for a
 * flag of the same name. */
const struct option *option_find(const struct option_set *s, struct span flag);

/* The position of a command, or -ENOENT. */
int option_command_find(const struct option_set *s, const char *name);

/* What to answer to a command or flag that there is not. Both return -EINVAL. */
int option_fail_command(const struct option_set *s, const char *given, struct text *error);
int option_fail_flag(const struct option_set *s, int command, struct span given,
		     struct text *error);

/*
 * The defaults of all rows, then what environ (NAME=VALUE, ends in NULL) says
 * for the command. Strings in `into` are borrowed. Sets the bits of the rows
 * that environ had in *given.
 */
int option_read_environment(const struct option_set *s, int command, void *into,
			    char *const *environ, option_bits *given, struct text *error);

/* One "--flag...", with the argument after it or NULL. Returns how many were used. */
/*
 * Calls fn with the name of each variable that begins with prefix, is no option's, and does not
 * look like one that Kubernetes sets for a Service of that name; guess: the variable that may
 * have been meant, or NULL.
 */
void option_unknown_variables(const struct option_set *s, const char *prefix, char *const *environ,
			      void (*fn)(struct span name, const char *guess));

int option_read_flag(const struct option_set *s, int command, void *into, const char *arg,
		     const char *next, option_bits *given, struct text *error);

/* One value from elsewhere, for a row of the table; name is how its error calls it. */
int option_set_value(const struct option *option, void *into, const char *name, const char *value,
		     struct text *error);

/* The help on a command; on all of them for -1. */
void option_help(const struct option_set *s, FILE *out, int command);

/* The page of the manual, section 1, in the language of man(7). */
void option_man(const struct option_set *s, FILE *out);

enum option_shell { OPTION_BASH, OPTION_ZSH, OPTION_FISH, OPTION_SHELLS };

/* What is in the words of `arguments` of the command that prints completions. */
#define OPTION_SHELL_WORDS "bash|zsh|fish"

/* A script for the shell that completes commands, options, their words and files. */
void option_completion(const struct option_set *s, FILE *out, enum option_shell shell);

#endif
