/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http2_huffman.h"

#include <stdint.h>
#include <string.h>

#define SHORTEST 5 /* bits */
#define QUICK	 8 /* codes of up to so many bits are found by one lookup */

/* All symbols but the end-of-string symbol, in the order of their codes: the code is canonical. */
static const uint8_t symbols[256] = {
	48,  49,  50,  97,  99,	 101, 105, 111, 115, 116, 32,  37,  45,	 46,  47,  51,	52,  53,
	54,  55,  56,  57,  61,	 65,  95,  98,	100, 102, 103, 104, 108, 109, 110, 112, 114, 117,
	58,  66,  67,  68,  69,	 70,  71,  72,	73,  74,  75,  76,  77,	 78,  79,  80,	81,  82,
	83,  84,  85,  86,  87,	 89,  106, 107, 113, 118, 119, 120, 121, 122, 38,  42,	44,  59,
	88,  90,  33,  34,  40,	 41,  63,  39,	43,  124, 35,  62,  0,	 36,  64,  91,	93,  126,
	94,  125, 60,  96,  123, 92,  195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161,
	167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154,
	156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232,
	233, 1,	  135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165,
	166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9,	 142, 144, 145, 148, 159,
	171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213,
	218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245,
	246, 247, 248, 250, 251, 252, 253, 254, 2,   3,	  4,   5,   6,	 7,   8,   11,	12,  14,
	15,  16,  17,  18,  19,	 20,  21,  23,	24,  25,  26,  27,  28,	 29,  30,  31,	127, 220,
	249, 10,  13,  22};

/* The number of codes of each length. */
static const struct {
	uint8_t bits;
	uint8_t count;
} lengths[] = {
	{5, 10},  {6, 26},  {7, 32}, {8, 6},   {10, 5},	 {11, 3},  {12, 2},
	{13, 6},  {14, 2},  {15, 3}, {19, 3},  {20, 8},	 {21, 13}, {22, 26},
	{23, 29}, {24, 12}, {25, 4}, {26, 15}, {27, 19}, {28, 29}, {30, 3},
};

#define LENGTHS (sizeof(lengths) / sizeof(*lengths))

/* The decoding table, built once from the arrays above. */
static struct {
	bool is_ready;
	struct {
		uint8_t symbol;
		uint8_t bits; /* 0: the code is longer */
	} quick[1u << QUICK]; /* indexed by the first QUICK bits */
	struct {
		uint64_t end; /* codes of this length are below it, left-aligned in 64 bits */
		uint32_t first; /* first code of this length */
		uint32_t index; /* index of its symbol */
	} row[LENGTHS];
} table;

static void prepare(void)
{
	uint32_t index = 0;
	uint32_t code = 0;

	for (size_t i = 0; i < LENGTHS; i++) {
		unsigned bits = lengths[i].bits;

		code <<= bits - (i ? lengths[i - 1].bits : 0);
		table.row[i].first = code;
		table.row[i].index = index;
		for (unsigned n = 0; n < lengths[i].count; n++, code++, index++) {
			if (bits > QUICK)
				continue;
			for (uint32_t at = code << (QUICK - bits);
			     at < (code + 1) << (QUICK - bits); at++) {
				table.quick[at].symbol = symbols[index];
				table.quick[at].bits = (uint8_t)bits;
			}
		}
		table.row[i].end = (uint64_t)code << (64 - bits);
	}
	table.is_ready = true;
}

/*
 * Decodes a code longer than QUICK bits at the top of `bits`. Returns its length, 0 for
 * end-of-string.
 */
static unsigned long_code(uint64_t bits, uint8_t *ret_symbol)
{
	for (size_t i = 0; i < LENGTHS; i++) {
		if (bits < table.row[i].end) {
			*ret_symbol = symbols[table.row[i].index +
					      (uint32_t)(bits >> (64 - lengths[i].bits)) -
					      table.row[i].first];
			return lengths[i].bits;
		}
	}
	return 0;
}

bool http2_huffman_decode(struct span code, char *out, size_t *ret_len)
{
	const uint8_t *p = (const uint8_t *)code.ptr;
	const uint8_t *end = p + code.len;
	char *to = out;
	uint64_t bits = 0; /* the next bits, left-aligned; zeros follow */
	unsigned have = 0; /* number of valid bits */

	if (!table.is_ready)
		prepare();
	for (;;) {
		unsigned taken;
		uint8_t symbol;

		while (have <= 56 && p < end) {
			bits |= (uint64_t)*p++ << (56 - have);
			have += 8;
		}
		if (have < SHORTEST)
			break;
		symbol = table.quick[bits >> (64 - QUICK)].symbol;
		taken = table.quick[bits >> (64 - QUICK)].bits;
		if (!taken) {
			taken = long_code(bits, &symbol);
			if (!taken)
				break;
		}
		if (taken > have)
			break;
		*to++ = (char)symbol;
		bits <<= taken;
		have -= taken;
	}
	*ret_len = (size_t)(to - out);
	/* The remaining bits are padding: a prefix of the end-of-string code, which is all ones. */
	return have < 8 && (bits | UINT64_MAX >> have) == UINT64_MAX;
}
