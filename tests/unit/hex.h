/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that are written in hexadecimal, with spaces wherever they help. */
#ifndef SIDELIGHT_TESTS_UNIT_HEX_H
#define SIDELIGHT_TESTS_UNIT_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The number of bytes, at most max. */
static inline size_t hex_bytes(const char *text, void *ret, size_t max)
{
	uint8_t *out = ret;
	unsigned byte;
	size_t n = 0;
	int used;

	while (n < max && sscanf(text, " %2x%n", &byte, &used) == 1) {
		out[n++] = (uint8_t)byte;
		text += used;
	}
	return n;
}

#endif
