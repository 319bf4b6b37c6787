/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes are that matter in a head: one bit per byte of a block, set for bytes not above
 * '\n', which are line feeds, NULs and (rarely) tabs and other controls.
 *
 * A head has a line end every 25 bytes or so. One mask for 32 bytes costs about what one call
 * of memchr() does, and serves all line ends in it.
 */
#ifndef SIDELIGHT_PROTO_HTTP1_SCAN_H
#define SIDELIGHT_PROTO_HTTP1_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define HTTP1_SCAN_BLOCK 32

/* Any number of bytes up to a block. */
static inline uint32_t http1_scan_few(const char *p, size_t n)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < n; i++)
		mask |= (uint32_t)((unsigned char)p[i] <= '\n') << i;
	return mask;
}

/* A whole block, eight bytes at a time, for any machine. */
static inline uint32_t http1_scan_words(const char *p)
{
	const uint64_t ones = 0x0101010101010101u;
	uint32_t mask = 0;

	for (unsigned i = 0; i < HTTP1_SCAN_BLOCK; i += 8) {
		uint64_t w;
		uint64_t above;

		memcpy(&w, p + i, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		w = __builtin_bswap64(w);
#endif
		/* Bit 7 of each byte: low seven bits above '\n', or bit 7 itself. */
		above = ((w & 0x7f * ones) + (0x7f - '\n') * ones) | w;
		/* The multiplication gathers the eight flags, lowest byte first, in the top byte.
		 */
		mask |= (uint32_t)(((~above >> 7 & ones) * 0x0102040810204080u) >> 56) << i;
	}
	return mask;
}

/* A whole block. */
static inline uint32_t http1_scan_block(const char *p)
{
#ifdef __SSE2__
	const __m128i limit = _mm_set1_epi8('\n');
	__m128i lo = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i hi = _mm_loadu_si128((const __m128i *)(const void *)(p + 16));

	/* Saturating: zero is left of what was not above the limit. */
	lo = _mm_cmpeq_epi8(_mm_subs_epu8(lo, limit), _mm_setzero_si128());
	hi = _mm_cmpeq_epi8(_mm_subs_epu8(hi, limit), _mm_setzero_si128());
	return (uint32_t)_mm_movemask_epi8(lo) | (uint32_t)_mm_movemask_epi8(hi) << 16;
#else
	return http1_scan_words(p);
#endif
}

#endif
