/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands and options that there are: what options.c reads by and the
 * help is printed from.
 */
#ifndef SIDELIGHT_OPTION_TABLE_H
#define SIDELIGHT_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "options.h"

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

enum {
	IN_RUN = 1 << COMMAND_RUN,
	IN_REPLAY = 1 << COMMAND_REPLAY,
	IN_DOCTOR = 1 << COMMAND_DOCTOR,
	IN_ENGINE = IN_RUN | IN_REPLAY,
	IN_ALL = (1 << COMMAND_MAX) - 1,
};

struct option {
	const char *section; /* starts a section of the help */
	const char *flag;
	const char *variable; /* NULL: a flag only */
	const char *metavar; /* KIND_WORD: the words, "a|b|c"; KIND_BOOL: NULL */
	const char *fallback; /* the default, as a user would write it; NULL: nothing */
	const char *help;
	enum option_kind kind;
	unsigned commands; /* IN_* */
	size_t offset;
	uint64_t min;
	uint64_t max;
};

/* option_count rows; no more than the bits of a uint64_t. */
extern const struct option option_table[];
extern const size_t option_count;

struct option_command {
	const char *name;
	const char *arguments;
	const char *help;
};

extern const struct option_command option_commands[COMMAND_MAX];

#endif
