/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The token by which the SYN of an additional subflow names its MPTCP connection: the first 32 bits
 * of the SHA-256 of a key that one end sent in the handshake (RFC 8684 section 3.2). The BPF
 * programs and user space both include this header.
 */
#ifndef SIDELIGHT_MPTCP_TOKEN_H
#define SIDELIGHT_MPTCP_TOKEN_H

#include <linux/types.h>

#define MPTCP_OPTION  30 /* the TCP option's kind */
#define MPTCP_VERSION 1 /* of RFC 8684; version 0 has other tokens */

/* The option's subtypes (RFC 8684 section 8). */
enum { MPTCP_CAPABLE = 0, MPTCP_JOIN = 1 };

#define MPTCP_HASH_ROUNDS 64

/* FIPS 180-4 section 4.2.2 */
static const __u32 mptcp_sha256_k[MPTCP_HASH_ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static inline __attribute__((always_inline)) __u32 mptcp_rotate(__u32 x, int n)
{
	return x >> n | x << (32 - n);
}

struct mptcp_hash {
	__u32 words[16]; /* of the message schedule, in a ring */
	__u32 state[8]; /* a to h */
};

/*
 * The key's halves are in host byte order. The key and its padding are one block.
 * mptcp_hash_round() is to follow 64 times, then mptcp_hash_end().
 */
static inline __attribute__((always_inline)) void mptcp_hash_begin(struct mptcp_hash *h,
								   __u32 key_high, __u32 key_low)
{
	const struct mptcp_hash begin = {
		.words = {key_high, key_low, 0x80000000, [15] = 64 /* bits */},
		.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
			  0x1f83d9ab, 0x5be0cd19},
	};

	*h = begin;
}

/* FIPS 180-4 section 6.2.2, for one word of the schedule. */
static inline __attribute__((always_inline)) void mptcp_hash_round(struct mptcp_hash *h, __u32 i)
{
	__u32 word = h->words[i & 15];
	__u32 next = h->words[(i + 1) & 15];
	__u32 last = h->words[(i + 14) & 15];
	__u32 *s = h->state;
	__u32 t1 = s[7] +
		   (mptcp_rotate(s[4], 6) ^ mptcp_rotate(s[4], 11) ^ mptcp_rotate(s[4], 25)) +
		   ((s[4] & s[5]) ^ (~s[4] & s[6])) + mptcp_sha256_k[i & (MPTCP_HASH_ROUNDS - 1)] +
		   word;
	__u32 t2 = (mptcp_rotate(s[0], 2) ^ mptcp_rotate(s[0], 13) ^ mptcp_rotate(s[0], 22)) +
		   ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

	/* The schedule's word of sixteen rounds later. */
	h->words[i & 15] = word + h->words[(i + 9) & 15] +
			   (mptcp_rotate(next, 7) ^ mptcp_rotate(next, 18) ^ next >> 3) +
			   (mptcp_rotate(last, 17) ^ mptcp_rotate(last, 19) ^ last >> 10);
	s[7] = s[6];
	s[6] = s[5];
	s[5] = s[4];
	s[4] = s[3] + t1;
	s[3] = s[2];
	s[2] = s[1];
	s[1] = s[0];
	s[0] = t1 + t2;
}

/* The token, in host byte order: only the first word of the digest is wanted. */
static inline __attribute__((always_inline)) __u32 mptcp_hash_end(const struct mptcp_hash *h)
{
	return h->state[0] + 0x6a09e667;
}

#endif
