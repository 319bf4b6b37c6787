/* SPDX-License-Identifier: Apache-2.0 */
#include "base/value.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* Digits at *str; leaves *str behind them. */
static int take_digits(const char **str, uint64_t *ret_n)
{
	const char *p = *str;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return -EINVAL;
	if (p == *str)
		return -EINVAL;
	*str = p;
	*ret_n = n;
	return 0;
}

bool value_is_listed(const char *list, const char *str)
{
	size_t len = strlen(str);

	for (const char *at = list;; at++) {
		size_t n;

		at += strspn(at, " \t");
		n = strcspn(at, ",");
		if (n >= len && len && memcmp(at, str, len) == 0 &&
		    strspn(at + len, " \t") == n - len)
			return true;
		at += n;
		if (!*at)
			return false;
	}
}

int value_number(const char *str, uint64_t *ret_n)
{
	uint64_t n;

	if (take_digits(&str, &n) || *str)
		return -EINVAL;
	*ret_n = n;
	return 0;
}

int value_bytes(const char *str, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t n;

	if (take_digits(&str, &n))
		return -EINVAL;
	if (*str && strcasecmp(str, "B") != 0) {
		unit = strchr(units, toupper((unsigned char)*str));
		if (!unit ||
		    (str[1] && strcasecmp(str + 1, "iB") != 0 && strcasecmp(str + 1, "B") != 0) ||
		    __builtin_mul_overflow(n, 1ull << 10 * (unit - units + 1), &n))
			return -EINVAL;
	}
	*ret_bytes = n;
	return 0;
}

int value_duration(const char *str, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t whole;
	uint64_t part = 0; /* thousandths */
	unsigned digits = 0;

	if (take_digits(&str, &whole))
		return -EINVAL;
	if (*str == '.') {
		for (str++; *str >= '0' && *str <= '9'; str++, digits++)
			part = digits < 3 ? part * 10 + (uint64_t)(*str - '0') : part;
		if (digits == 0)
			return -EINVAL;
		for (; digits < 3; digits++)
			part *= 10;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(str, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units[i].ms, &whole) ||
		    __builtin_add_overflow(whole, part * units[i].ms / 1000, &whole))
			return -EINVAL;
		*ret_ms = whole;
		return 0;
	}
	return -EINVAL;
}

int value_bool(const char *str, bool *ret_bool)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(str, words[i]) == 0) {
			*ret_bool = i % 2 == 1;
			return 0;
		}
	}
	return -EINVAL;
}

int value_word(const char *str, const char *words, int *ret_position)
{
	size_t len = strlen(str);

	for (int i = 0; *words; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && memcmp(words, str, n) == 0) {
			*ret_position = i;
			return 0;
		}
		words += n + (words[n] == '|');
	}
	return -EINVAL;
}

bool value_is_address(const char *str)
{
	const char *colon = strrchr(str, ':');
	uint64_t port;
	size_t len;

	if (!colon || value_number(colon + 1, &port) || port > 65535)
		return false;
	len = (size_t)(colon - str);
	if (str[0] == '[')
		return len > 2 && str[len - 1] == ']' &&
		       strspn(str + 1, "0123456789abcdefABCDEF:.") == len - 2;
	return len <= 253 && strcspn(str, ":/@[] \t") == len;
}

bool value_is_url(const char *str)
{
	const char *host = strncasecmp(str, "http://", 7) == 0	  ? str + 7
			   : strncasecmp(str, "https://", 8) == 0 ? str + 8
								  : NULL;

	if (!host || !*host || strchr("/:?#", *host))
		return false;
	for (; *host; host++)
		if (*host <= ' ' || *host == 0x7f || strchr("\"<>\\^`{|}", *host))
			return false;
	return true;
}

uint64_t value_round_up(uint64_t n)
{
	return n <= 1 ? 1 : 1ull << (64 - __builtin_clzll(n - 1));
}

size_t value_distance(struct span a, struct span b)
{
	size_t row[64]; /* distances from a prefix of a to every prefix of b */

	if (a.len > 63 || b.len > 63)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[b.len];
}
