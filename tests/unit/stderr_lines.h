/* SPDX-License-Identifier: Apache-2.0 */
/* What a piece of a test writes to standard error. */
#ifndef SIDELIGHT_TESTS_UNIT_STDERR_LINES_H
#define SIDELIGHT_TESTS_UNIT_STDERR_LINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

struct stderr_lines {
	FILE *file;
	int kept; /* standard error itself */
};

static inline struct stderr_lines stderr_begin(void)
{
	struct stderr_lines s = {tmpfile(), dup(2)};

	assert_non_null(s.file);
	assert_return_code(s.kept, 0);
	assert_int_equal(dup2(fileno(s.file), 2), 2);
	return s;
}

/* Puts the first line into ret_first, "" if there is none. Returns how many there were. */
static inline unsigned stderr_end(struct stderr_lines *s, char *ret_first, int size)
{
	char other[1024];
	unsigned count = 0;

	assert_int_equal(dup2(s->kept, 2), 2);
	(void)close(s->kept);
	rewind(s->file);
	ret_first[0] = '\0';
	if (fgets(ret_first, size, s->file))
		for (count = 1; fgets(other, sizeof(other), s->file); count++)
			;
	(void)fclose(s->file);
	return count;
}

#endif
