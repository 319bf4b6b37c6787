/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which segments of a path are identifiers, by the typical forms of words and identifiers.
 * A wrong decision of one kind costs a series, of the other kind merges routes. Short names (v2,
 * oauth2, us-east-1, en-GB, k8s, hello.world) are kept.
 */
#include <stdbool.h>
#include <string.h>

#include "txn/route.h"
#include "txn/route_path.h"

/* Deeper paths end in "*". */
#define DEPTH_MAX 10
/* The longest name of an endpoint; slugs and tokens are longer. */
#define WORD_MAX 64
/*
 * The number of words, joined by hyphens or the like but not by dots, from which on it is a title.
 */
#define WORDS_MAX 6

/* One run of letters and digits. */
struct run {
	const char *ptr;
	unsigned len;
	unsigned digits;
	unsigned uppers;
	unsigned lowers;
	unsigned hexes; /* digits, a to f */
	unsigned changes; /* changes between letters and digits */
	unsigned upper_pairs; /* pairs of adjacent upper-case letters */
};

static bool is_digit(char c)
{
	return route_class_of(c) & ROUTE_DIGIT;
}

static bool is_letter(char c)
{
	return route_class_of(c) & ROUTE_LETTER;
}

static bool is_hex(char c)
{
	return route_class_of(c) & ROUTE_HEX;
}

/* The run at the beginning of s. */
static struct run run_of(struct span s)
{
	struct run r = {.ptr = s.ptr};
	unsigned before = 0;

	for (; r.len < s.len; r.len++) {
		unsigned class = route_class_of(s.ptr[r.len]);

		if (!(class & (ROUTE_DIGIT | ROUTE_LETTER)))
			break;
		r.digits += (class & ROUTE_DIGIT) != 0;
		r.uppers += (class & ROUTE_UPPER) != 0;
		r.lowers += (class & ROUTE_LOWER) != 0;
		r.hexes += (class & ROUTE_HEX) != 0;
		r.changes += r.len > 0 && ((class ^ before) & ROUTE_DIGIT);
		r.upper_pairs += (class & before & ROUTE_UPPER) != 0;
		before = class;
	}
	return r;
}

/* Words that end in three digits and are names. */
static bool is_known_word(const struct run *r)
{
	static const char *const words[] = {"sha224", "sha256", "sha384", "sha512", "x509"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (span_is((struct span){r->ptr, r->len}, words[i]))
			return true;
	}
	return false;
}

static bool is_value_run(const struct run *r)
{
	if (r->digits == r->len)
		return r->len >= 3; /* order-123, but us-east-1 */
	if (r->hexes == r->len && r->len >= (r->digits > 0 ? 8 : 16))
		return true; /* 3f2a9c1b, but facade and deadbeef */
	if (r->changes >= 3 && r->digits >= 2 && r->len >= 5)
		return true; /* dQw4w9WgXcQ, 01ARZ3NDEKTSV4, but s3v4 */
	if (r->changes == 2 && r->digits >= 2 && r->len >= 10)
		return true; /* abcde12fghi, but i18n */
	if (r->digits >= 3)
		return !is_known_word(r); /* user123, but oauth2 */
	/* Camel case has single capitals, except in acronyms. */
	return r->len >= 24 && r->lowers > 0 && r->upper_pairs >= 3;
}

/* v1, v2.1, v1beta1, v1p1beta1: an API version. */
static bool is_version(struct span s)
{
	unsigned digits = 0;
	unsigned letters = 0;

	if (s.len < 2 || s.len > 12 || (s.ptr[0] | 0x20) != 'v' || !is_digit(s.ptr[1]))
		return false;
	for (size_t i = 1; i < s.len; i++) {
		char c = s.ptr[i];

		if (is_letter(c)) {
			digits = 0;
			letters++;
			continue;
		}
		/* A single letter belongs to a hash, except for Google's "p". */
		if (letters == 1 && s.ptr[i - 1] != 'p')
			return false;
		letters = 0;
		digits = is_digit(c) ? digits + 1 : 0;
		if (digits > 3 || (!is_digit(c) && c != '.' && c != '-' && c != '_'))
			return false;
	}
	return letters != 1;
}

static bool is_uuid(struct span s)
{
	if (s.len != 36)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? s.ptr[i] != '-' : !is_hex(s.ptr[i]))
			return false;
	}
	return true;
}

/* name=value, also encoded: the name alone is no endpoint, and the value may be a secret. */
static bool has_assignment(struct span s)
{
	return memchr(s.ptr, '=', s.len) || memmem(s.ptr, s.len, "%3D", 3);
}

static bool is_value(struct span s)
{
	struct run all = {.len = 0};
	unsigned words = 1;

	if (s.len > WORD_MAX || is_uuid(s))
		return true;
	for (size_t i = 0; i < s.len;) {
		struct run r = run_of(span_from(s, i));

		if (r.len == 0) {
			words += i > 0 && s.ptr[i] != '.';
			i += s.ptr[i] == '%' && s.len - i > 2 ? 3 : 1;
			continue;
		}
		if (is_value_run(&r))
			return true;
		all.digits += r.digits;
		all.uppers += r.uppers;
		all.lowers += r.lowers;
		i += r.len;
	}
	if (all.digits > 0 && all.uppers + all.lowers == 0)
		return true; /* numbers, dates, addresses, 12,5 */
	if (words >= WORDS_MAX)
		return true;
	/* base64url, whose hyphens make short runs */
	return s.len >= 16 && all.digits >= 2 && all.uppers >= 3 && all.lowers >= 3;
}

/* The offset of a file name's extension, its dot included; s.len if it has none. */
static size_t extension_at(struct span s)
{
	const char *dot = memrchr(s.ptr, '.', s.len);
	struct run r;

	if (!dot || dot == s.ptr)
		return s.len;
	r = run_of(span_from(s, (size_t)(dot - s.ptr) + 1));
	/* html, woff2, mp4, but not 3f2a9, nor the digits after a decimal point */
	if (r.len == 0 || r.len > 5 || r.ptr + r.len != s.ptr + s.len || is_digit(r.ptr[0]) ||
	    r.digits > 1)
		return s.len;
	return (size_t)(dot - s.ptr);
}

struct out {
	char *buf;
	size_t size;
	size_t len;
};

static void put(struct out *o, struct span s)
{
	size_t n = s.len < o->size - o->len ? s.len : o->size - o->len;

	memcpy(o->buf + o->len, s.ptr, n);
	o->len += n;
}

/* A segment, and the classes of all and of any of its characters. */
struct segment {
	struct span s;
	unsigned all;
	unsigned any;
};

/* The segment at the beginning of s. */
static struct segment segment_of(struct span s)
{
	struct segment seg = {.s = {s.ptr, 0}, .all = ~0u};

	for (; seg.s.len < s.len && s.ptr[seg.s.len] != '/'; seg.s.len++) {
		unsigned class = route_class_of(s.ptr[seg.s.len]);

		seg.all &= class;
		seg.any |= class;
	}
	return seg;
}

/* Short, and without digits and assignments: no rule for identifiers applies. */
static bool is_simple_word(const struct segment *seg)
{
	if (seg->any & (ROUTE_DIGIT | ROUTE_AT | ROUTE_PERCENT))
		return false;
	if (seg->any & ROUTE_DELIM && has_assignment(seg->s))
		return false;
	return seg->s.len < 2 * WORDS_MAX - 1 ||
	       (seg->s.len < 16 && !(seg->any & (ROUTE_MARK | ROUTE_DELIM)));
}

static void put_segment(struct out *o, struct segment seg)
{
	struct span s = seg.s;
	size_t ext;

	if (is_simple_word(&seg)) {
		put(o, s);
		return;
	}
	if (seg.all & ROUTE_DIGIT || seg.any & ROUTE_AT || has_assignment(s)) {
		put(o, span_of("{id}")); /* a number, an address, a user's handle, a parameter */
		return;
	}
	if (is_version(s)) {
		put(o, s);
		return;
	}
	ext = extension_at(s);
	if (is_value((struct span){s.ptr, ext})) {
		put(o, span_of("{id}"));
		s = span_from(s, ext);
	}
	put(o, s);
}

size_t route_template(struct span path, char *buf, size_t size)
{
	struct out o = {buf, size, 0};
	char normal[ROUTE_PATH_MAX];
	struct span rest = {normal, 0};

	rest.len = route_path_normal(path, normal, sizeof(normal));
	for (unsigned depth = 0; rest.len > 0; depth++) {
		struct segment seg = segment_of(span_from(rest, rest.ptr[0] == '/'));

		put(&o, span_of("/"));
		if (depth == DEPTH_MAX) {
			put(&o, span_of("*"));
			break;
		}
		rest = span_from(rest, (size_t)(seg.s.ptr + seg.s.len - rest.ptr));
		put_segment(&o, seg);
	}
	return o.len;
}
