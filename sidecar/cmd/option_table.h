/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands and options that there are: what options.c reads by and the
 * help is printed from.
 */
#ifndef SIDELIGHT_CMD_OPTION_TABLE_H
#define SIDELIGHT_CMD_OPTION_TABLE_H

#include <stddef.h>

#include "base/option.h"
#include "cmd/options.h"

enum {
	IN_RUN = 1 << COMMAND_RUN,
	IN_REPLAY = 1 << COMMAND_REPLAY,
	IN_DOCTOR = 1 << COMMAND_DOCTOR,
	IN_TRACE = 1 << COMMAND_TRACE,
	IN_EXPORT = 1 << COMMAND_EXPORT,
	IN_REQUESTS = IN_TRACE | IN_EXPORT,
	IN_TOP = 1 << COMMAND_TOP,
	IN_UI = 1 << COMMAND_UI,
	IN_SYSCALLS = 1 << COMMAND_SYSCALLS,
	IN_ENGINE = IN_RUN | IN_REPLAY,
	IN_ALL = (1 << COMMAND_MAX) - 1,
};

/* option_count rows; no more than option_bits has bits. */
extern const struct option option_table[];
extern const size_t option_count;

/* The same, with the commands (position: enum command), for base/option.h. */
extern const struct option_set option_set;

#endif
