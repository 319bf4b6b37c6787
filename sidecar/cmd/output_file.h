/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is there when it is whole, and not before: it is written under a temporary name in
 * its own directory (`.NAME.XXXXXX`), which becomes its name at the end. What cannot be replaced
 * is written as it is: standard output ("-"), a pipe, a device.
 */
#ifndef SIDELIGHT_CMD_OUTPUT_FILE_H
#define SIDELIGHT_CMD_OUTPUT_FILE_H

#include <stdio.h>

#include "base/text.h"

struct output_file {
	const char *command; /* what log lines begin with */
	const char *name; /* for log lines */
	FILE *file; /* to write to */
	struct text path; /* what it will be called; empty: it is not renamed */
	struct text temporary;
};

/* NULL or "-": standard output. Returns 0, or negative errno after one log line. */
int output_file_open(struct output_file *f, const char *command, const char *path);

/* It is whole. Returns 0, or negative errno after one log line. */
int output_file_commit(struct output_file *f);

/* Closes it; what was not committed is removed. */
void output_file_close(struct output_file *f);

#endif
