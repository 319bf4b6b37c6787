/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fast hash of bytes that strangers choose, for tables in memory only: its
 * value may differ between builds and is never stored.
 */
#ifndef SIDELIGHT_BASE_HASH_H
#define SIDELIGHT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xe7037ed1a0b428dbu);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Seed with a random number where the keys come from the wire. */
static inline uint64_t hash_bytes(const void *ptr, size_t len, uint64_t seed)
{
	const unsigned char *p = ptr;
	uint64_t h = seed ^ len;
	uint64_t a;
	uint64_t b;

	for (; len > 16; p += 16, len -= 16) {
		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		h = hash_mix(a ^ h, b);
	}
	a = b = 0;
	if (len > 8) {
		memcpy(&a, p, 8);
		memcpy(&b, p + len - 8, 8);
	} else if (len >= 4) {
		uint32_t lo;
		uint32_t hi;

		memcpy(&lo, p, 4);
		memcpy(&hi, p + len - 4, 4);
		a = (uint64_t)hi << 32 | lo;
	} else if (len > 0) {
		a = (uint64_t)p[0] << 16 | (uint64_t)p[len >> 1] << 8 | p[len - 1];
	}
	return hash_mix(a ^ h, b ^ 0xa0761d6478bd642fu);
}

#endif
