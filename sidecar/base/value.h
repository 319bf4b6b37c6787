/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as people write them. All return 0, or -EINVAL without touching
 * *ret_x; nothing may stand before or after the value.
 */
#ifndef SIDELIGHT_BASE_VALUE_H
#define SIDELIGHT_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Decimal digits. */
int value_number(const char *str, uint64_t *ret_n);
/* 4096, 64K, 2M, 1G; also KiB, MiB, GiB: all are powers of 1024. */
int value_bytes(const char *str, uint64_t *ret_bytes);
/* 15, 0.5, 500ms, 15s, 2m, 1h; without a unit it is seconds. Cut to whole milliseconds. */
int value_duration(const char *str, uint64_t *ret_ms);
/* true, yes, on, 1; false, no, off, 0; in any case. */
int value_bool(const char *str, bool *ret_bool);
/* Position of str in words, "a|b|c". */
int value_word(const char *str, const char *words, int *ret_position);

/* Is str one of the words of "a, b,c"? Blanks around words do not count. */
bool value_is_listed(const char *list, const char *str);

/* HOST:PORT, [IPV6]:PORT or :PORT, port 0 to 65535. Does not resolve HOST. */
bool value_is_address(const char *str);
/* http:// or https:// with a host and nothing that cannot stand in a URL. */
bool value_is_url(const char *str);

/* The smallest power of two that is not below n; n <= 2^63. */
uint64_t value_round_up(uint64_t n);

/* Letters to insert, drop or replace to get from a to b; SIZE_MAX if either is over 63 long. */
size_t value_distance(struct span a, struct span b);

#endif
