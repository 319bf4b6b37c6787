/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from text: two hexadecimal digits each.
 */
#ifndef SIDELIGHT_TESTS_UNIT_HEX_H
#define SIDELIGHT_TESTS_UNIT_HEX_H

#include <stddef.h>
#include <stdio.h>

/* Returns how many; out has room for them. */
static inline size_t from_hex(const char *hex, char *out)
{
	size_t n = 0;
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[n++] = (char)byte;
	return n;
}

#endif
