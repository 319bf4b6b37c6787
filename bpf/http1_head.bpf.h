/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parses as much of HTTP/1 as is needed to know which bytes are body and need not be copied: the
 * end of a head, and Content-Length. User space parses everything else. A mistake here may cost
 * additional copies, or bytes that user space counts as lost, but never a wrong number.
 */
#ifndef SIDELIGHT_HTTP1_HEAD_BPF_H
#define SIDELIGHT_HTTP1_HEAD_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "state.bpf.h"

/* Eight characters as one little-endian word. */
#define WORD(a, b, c, d, e, f, g, h)                                                               \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

#define WORD_4(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

#define WORD_ALL(c)  ((__u64)(c)*0x0101010101010101ull)
#define WORD_LOWER   WORD_ALL(0x20)
#define WORD_HTTP1   WORD('H', 'T', 'T', 'P', '/', '1', '.', 0)
#define WORD_7	     0x00ffffffffffffffull
#define WORD_CONNECT WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ')
#define WORD_PRI     WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T')

static __always_inline bool starts_response(__u64 first)
{
	return (first & WORD_7) == WORD_HTTP1;
}

/* Likewise, as far as n bytes can tell. */
static __always_inline bool may_start_response(__u64 first, __u32 n)
{
	__u64 mask = n < 7 ? (1ull << (n & 7) * 8) - 1 : WORD_7;

	return ((first ^ WORD_HTTP1) & mask) == 0;
}

/* Sets the top bit of each byte that is a line feed; only the lowest one is exact. */
static __always_inline __u64 newline_marks(__u64 w)
{
	w ^= WORD_ALL('\n');
	return (w - WORD_ALL(1)) & ~w & WORD_ALL(0x80);
}

/* Positions in the scanned bytes are below this; a power of two, so that a mask bounds them. */
#define SCAN_MAX 2048
/*
 * Limit of the steps of a scan. A step loads a chunk, or searches SCAN_WORDS words for the end of a
 * line. This is enough for a head of 800 bytes with 30 lines, or 1,400 bytes with few. After a
 * longer head, the body is copied as well, up to the budget.
 */
#define SCAN_STEPS 57
#define SCAN_WORDS 4

/* The result of scan_head() in one number, since a global function can't return more. */
#define SCAN_HEAD(result)                                                                          \
	((__u32)(result) & (SCAN_MAX - 1)) /* length of the head; 0: it is incomplete */
#define SCAN_LENGTH(result)                                                                        \
	((result) >> 12) /* Content-Length + 1; 0: none, or it does not apply                      \
			  */

/* Index of the lowest byte whose top bit is set. marks has only top bits, and is not 0. */
static __always_inline __u64 lowest_mark(__u64 marks)
{
	/* The product of 1 << 8k and the constant has k in its highest byte. */
	return (((marks & -marks) >> 7) * 0x0001020304050607ull >> 56) & 7;
}

/* Sets the top bit of each byte of x (less '0') that is no digit; only the lowest one is exact. */
static __always_inline __u64 nondigit_marks(__u64 x)
{
	return (x | (x + WORD_ALL(0x76))) & WORD_ALL(0x80);
}

/* Value of eight digits (less '0'), the first in the lowest byte: pairs, then fours, then all. */
static __always_inline __u64 eight_digits(__u64 x)
{
	x = x * 10 + (x >> 8);
	x = (x & 0x00ff00ff00ff00ffull) * (1 + (100 << 16)) >> 16;
	return (x & 0x0000ffff0000ffffull) * (1 + (10000ull << 32)) >> 32;
}

/*
 * Parses Content-Length from the sixteen characters after the colon. Returns the length + 1, or 0
 * if it is no number, or has more than 13 digits. No loop over bytes, see README.md.
 */
static __always_inline __u64 parse_length(__u64 first, __u64 second)
{
	__u64 digits = 0;
	__u64 marks;
	__u64 k;

	if ((first & 0xff) == ' ') {
		first = first >> 8 | second << 56;
		second >>= 8;
	}
	first ^= WORD_ALL('0');
	second ^= WORD_ALL('0');
	marks = nondigit_marks(first);
	if (marks) {
		k = lowest_mark(marks);
		if (k == 0)
			return 0;
		return eight_digits(first << (64 - 8 * k)) + 1;
	}
	marks = nondigit_marks(second);
	if (!marks)
		return 0;
	k = lowest_mark(marks);
	if (k == 0)
		return eight_digits(first) + 1;
	if (k > 5)
		return 0;
	digits = eight_digits(first << (64 - 8 * k)) * 100000000;
	return digits + eight_digits(first >> 8 * k | second << (64 - 8 * k)) + 1;
}

/*
 * struct scan is the caller's, until unlock_scan(). False: the other direction has it, or HTTP/2,
 * also of a direction that has not left it yet.
 */
static __always_inline bool lock_scan(struct sock_state *st)
{
	bool is_ours;

	bpf_spin_lock(&st->lock);
	is_ours = !st->is_scanning && !st->is_http2 &&
		  (!st->was_candidate || (st->direction[SL_INGRESS].parser_state == PARSER_UNUSED &&
					  st->direction[SL_EGRESS].parser_state == PARSER_UNUSED));
	if (is_ours)
		st->is_scanning = true;
	bpf_spin_unlock(&st->lock);
	return is_ours;
}

static __always_inline void unlock_scan(struct sock_state *st)
{
	bpf_spin_lock(&st->lock);
	st->is_scanning = false;
	bpf_spin_unlock(&st->lock);
}

/* Loads the next chunk of the head, at s->pos. n: bytes of the head that are there. */
static __always_inline bool load_chunk(struct __sk_buff *skb, volatile struct scan *s, __u8 *buf,
				       __u32 off, __u32 n)
{
	__u64 pos = s->pos;
	__u64 len = n - pos;

	if (len > SCAN_CHUNK + SCAN_LOOKAHEAD)
		len = SCAN_CHUNK + SCAN_LOOKAHEAD;
	if (!load_bytes(skb, off + pos, buf, len, SCAN_CHUNK + SCAN_LOOKAHEAD))
		return false;
	s->base = pos;
	s->filled = pos + SCAN_CHUNK;
	return true;
}

/*
 * Searches a few words for a line feed, and moves s->pos: behind it, or behind the words. Returns
 * whether there was one.
 */
static __always_inline bool find_line(volatile struct scan *s, const __u8 *buf)
{
	__u64 at = s->pos - s->base;
	__u64 marks;

	opaque(at);
	if (at >= SCAN_CHUNK)
		return false;
	marks = newline_marks(*(__u64 *)(buf + at));
	for (int i = 1; !marks && i < SCAN_WORDS; i++) {
		at += 8;
		marks = newline_marks(*(__u64 *)(buf + at));
	}
	if (!marks) {
		s->pos = s->base + at + 8;
		return false;
	}
	s->pos = s->base + at + lowest_mark(marks) + 1;
	return true;
}

/*
 * Parses the beginning of the line at s->pos, and notes where Content-Length and Transfer-Encoding
 * are. Returns the length of an empty line, which ends the head, or 0.
 */
static __always_inline __u32 parse_line(volatile struct scan *s, const __u8 *buf)
{
	__u64 pos = s->pos; /* through map memory: one path, whichever word had the line feed */
	__u64 at = pos - s->base;
	__u64 w;

	opaque(at);
	if (at > SCAN_CHUNK + SCAN_WORDS * 8)
		return 0;
	w = *(__u64 *)(buf + at);
	if ((w & 0xff) == '\n')
		return 1;
	if ((w & 0xffff) == ('\r' | '\n' << 8))
		return 2;
	w |= WORD_LOWER;
	if (w == WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-')) {
		w = *(__u64 *)(buf + at + 8) | WORD_LOWER;
		if (w << 8 == WORD('l', 'e', 'n', 'g', 't', 'h', ':', 0) << 8)
			s->length_at = pos + 15;
	} else if (w == WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r')) {
		s->coding_at = pos;
	}
	return 0;
}

/*
 * Finds the end of a head. Returns its length, or 0. What is kept between steps passes through map
 * memory (see README.md), so that one step is verified once, and not once for each path that leads
 * to it.
 */
static __always_inline __u64 find_head_end(struct __sk_buff *skb, volatile struct scan *s,
					   __u8 *buf, __u32 off, __u32 n)
{
	__u32 empty_line;

	s->pos = s->base = s->filled = s->length_at = s->coding_at = 0;
	for (int i = 0; i < SCAN_STEPS; i++) {
		if (s->pos >= n)
			return 0;
		if (s->pos >= s->filled) {
			if (!load_chunk(skb, s, buf, off, n))
				return 0;
			continue;
		}
		if (!find_line(s, buf))
			continue;
		empty_line = parse_line(s, buf);
		if (empty_line)
			return s->pos + empty_line;
	}
	return 0;
}

/* Scans a head as scan_head() does; the caller has locked the scan. */
static __always_inline __u64 scan_locked(struct __sk_buff *skb, struct sock_state *st, __u32 off,
					 __u32 n, __u32 is_response)
{
	volatile struct scan *s = &st->scan;
	__u8 *buf = st->scan.buf;
	__u64 head = find_head_end(skb, s, buf, off, n);
	__u64 len;

	head &= SCAN_MAX - 1;
	if (!head || head > n)
		return 0;
	if (s->coding_at)
		return head;
	if (!s->length_at)
		return is_response ? head : head | 1 << 12;
	len = n - s->length_at;
	if (len > 16)
		len = 16;
	if (!load_bytes(skb, off + s->length_at, buf, len, 16))
		return head;
	return (parse_length(*(__u64 *)buf, *(__u64 *)(buf + 8)) << 12) | head;
}

/*
 * Finds the end of the head that starts at off in the packet, and the length of its body. n: bytes
 * of the head that are there, n < SCAN_MAX. A global function, see README.md.
 */
__noinline __u64 scan_head(struct __sk_buff *skb, __u32 off, __u32 n, __u32 is_response)
{
	struct sock_state *st = find_state(skb);
	__u64 found;

	if (!st || !lock_scan(st))
		return 0;
	found = scan_locked(skb, st, off, n, is_response);
	unlock_scan(st);
	return found;
}

#endif
