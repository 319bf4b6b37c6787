/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the bytes that end lines: a mask with one bit per byte of a block, set for bytes up to
 * '\n'. These are line feeds, NULs and (rarely) tabs and other controls.
 *
 * A head has a line end every 25 bytes or so. One mask for 32 bytes costs about as much as one call
 * of memchr() and finds all line ends in the block.
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

/* The mask of n bytes, at most a block. */
static inline uint32_t http1_scan_few(const char *p, size_t n)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < n; i++)
		mask |= (uint32_t)((unsigned char)p[i] <= '\n') << i;
	return mask;
}

/* The mask of a block, eight bytes at a time, for any machine. */
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
		/* The multiplication gathers the eight flags in the top byte, lowest first. */
		mask |= (uint32_t)(((~above >> 7 & ones) * 0x0102040810204080u) >> 56) << i;
	}
	return mask;
}

/* The mask of a block. */
static inline uint32_t http1_scan_block(const char *p)
{
#ifdef __SSE2__
	const __m128i limit = _mm_set1_epi8('\n');
	__m128i lo = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i hi = _mm_loadu_si128((const __m128i *)(const void *)(p + 16));

	/* The subtraction saturates: bytes up to the limit become zero. */
	lo = _mm_cmpeq_epi8(_mm_subs_epu8(lo, limit), _mm_setzero_si128());
	hi = _mm_cmpeq_epi8(_mm_subs_epu8(hi, limit), _mm_setzero_si128());
	return (uint32_t)_mm_movemask_epi8(lo) | (uint32_t)_mm_movemask_epi8(hi) << 16;
#else
	return http1_scan_words(p);
#endif
}

#endif
