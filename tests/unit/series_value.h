/* SPDX-License-Identifier: Apache-2.0 */
/* The value of one series in the text of a registry; the test fails if it has none. */
#ifndef SIDELIGHT_TESTS_UNIT_SERIES_VALUE_H
#define SIDELIGHT_TESTS_UNIT_SERIES_VALUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "metrics/registry.h"
#include "metrics/text.h"

/* series: its name and labels as the text has them. */
static inline double series_value(struct registry *r, const char *series)
{
	struct text text;
	char start[512];
	const char *at;
	double got;

	(void)snprintf(start, sizeof(start), "\n%s ", series);
	text_init(&text);
	text_encode(&text, r, TEXT_PROMETHEUS, NULL, 0);
	at = strstr(text.ptr, start);
	if (!at)
		fail_msg("no %s in %s", series, text.ptr);
	got = strtod(at + strlen(start), NULL);
	text_release(&text);
	return got;
}

#endif
