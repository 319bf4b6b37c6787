/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_chunk.h"

#include <string.h>

#include "proto/http1_head.h"

/*
 *   SIZE -> SIZE_MORE -> (EXT ->) DATA -> DATA_CR -> (DATA_LF ->) SIZE
 *   size 0: SIZE_MORE -> (EXT ->) TRAILER -> TRAILER_LINE -> TRAILER, for each trailer line
 *                                 TRAILER -> (TRAILER_CR ->) done at an empty line
 */
enum {
	CHUNK_SIZE, /* expects the first digit of a size */
	CHUNK_SIZE_MORE, /* expects further digits */
	CHUNK_EXT, /* inside padding and extensions, up to LF */
	CHUNK_DATA, /* body_left bytes of data follow */
	CHUNK_DATA_CR, /* expects CR LF, or LF, after the data */
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* at the start of a trailer line */
	CHUNK_TRAILER_CR, /* after a CR at the start of a trailer line */
	CHUNK_TRAILER_LINE, /* inside a trailer line */
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void http1_chunk_begin(struct http1 *p)
{
	p->chunk_state = CHUNK_SIZE;
	p->body_left = 0;
}

/* The state after the line with the chunk size. */
static uint8_t after_size(const struct http1 *p)
{
	return p->body_left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
}

/* Parses one byte of framing. Returns false if it is malformed. */
static bool framing_byte(struct http1 *p, char c)
{
	int digit;

	switch (p->chunk_state) {
	case CHUNK_SIZE:
	case CHUNK_SIZE_MORE:
		digit = hex_digit(c);
		if (digit >= 0) {
			if (p->body_left >> 60)
				return false;
			p->body_left = p->body_left << 4 | (unsigned)digit;
			p->chunk_state = CHUNK_SIZE_MORE;
			return true;
		}
		if (p->chunk_state == CHUNK_SIZE)
			return false;
		if (c == '\n')
			p->chunk_state = after_size(p);
		/* some servers pad sizes with spaces */
		else if (c == '\r' || c == ';' || c == ' ' || c == '\t')
			p->chunk_state = CHUNK_EXT;
		else
			return false;
		return true;
	case CHUNK_EXT:
		if (c == '\n')
			p->chunk_state = after_size(p);
		return true;
	case CHUNK_DATA_CR:
		if (c == '\r')
			p->chunk_state = CHUNK_DATA_LF;
		else if (c == '\n')
			p->chunk_state = CHUNK_SIZE;
		else
			return false;
		return true;
	case CHUNK_DATA_LF:
		p->chunk_state = CHUNK_SIZE;
		return c == '\n';
	default: /* CHUNK_TRAILER*: the caller recognises the end of the body */
		if (c == '\n')
			p->chunk_state = CHUNK_TRAILER;
		else if (p->chunk_state == CHUNK_TRAILER && c == '\r')
			p->chunk_state = CHUNK_TRAILER_CR;
		else
			p->chunk_state = CHUNK_TRAILER_LINE;
		return true;
	}
}

enum http1_chunk_result http1_chunk_data(struct http1 *p, struct span data, size_t *ret_used,
					 size_t *ret_trailers)
{
	size_t trailers = SIZE_MAX;
	size_t used = 0;

	while (used < data.len) {
		if (p->chunk_state == CHUNK_DATA) {
			size_t n = data.len - used;

			if (n > p->body_left)
				n = (size_t)p->body_left;
			p->body_left -= n;
			used += n;
			if (p->body_left == 0)
				p->chunk_state = CHUNK_DATA_CR;
			continue;
		}
		if (p->chunk_state >= CHUNK_TRAILER) {
			trailers = trailers < used ? trailers : used;
			if (data.ptr[used] == '\n' && p->chunk_state != CHUNK_TRAILER_LINE) {
				*ret_used = used + 1;
				*ret_trailers = trailers;
				return HTTP1_CHUNK_DONE;
			}
		}
		if (!framing_byte(p, data.ptr[used]))
			return HTTP1_CHUNK_BAD;
		used++;
	}
	*ret_used = used;
	*ret_trailers = trailers < used ? trailers : used;
	return HTTP1_CHUNK_MORE;
}

bool http1_chunk_skip(struct http1 *p, uint64_t len)
{
	if (p->chunk_state != CHUNK_DATA || len > p->body_left)
		return false;
	p->body_left -= len;
	if (p->body_left == 0)
		p->chunk_state = CHUNK_DATA_CR;
	return true;
}

uint64_t http1_chunk_left(const struct http1 *p)
{
	return p->chunk_state == CHUNK_DATA ? p->body_left : 0;
}

void http1_unframed_skip(struct http1 *p)
{
	p->tail_len = 0;
}

bool http1_unframed_saw_last_byte(const struct http1 *p)
{
	return p->tail_len > 0;
}

bool http1_unframed_may_have_ended(const struct http1 *p)
{
	return p->tail_len >= 4 && memcmp(p->tail + p->tail_len - 4, "\r\n\r\n", 4) == 0;
}

/* True if CR LF precedes s[at]. Bytes that were skipped count as if they were CR LF. */
static bool is_line_start(struct span s, size_t at, struct span before)
{
	if (at >= 2)
		return s.ptr[at - 2] == '\r' && s.ptr[at - 1] == '\n';
	if (at == 1)
		return s.ptr[0] == '\n' && (before.len == 0 || before.ptr[before.len - 1] == '\r');
	if (before.len > 0 && before.ptr[before.len - 1] != '\n')
		return false;
	return before.len < 2 || before.ptr[before.len - 2] == '\r';
}

/* True if s consists of complete field lines and an empty line. */
static bool is_trailer_section(struct span s)
{
	while (s.len > 2) {
		const char *lf = memchr(s.ptr, '\n', s.len);
		size_t n = lf ? (size_t)(lf - s.ptr) : 0;

		if (n == 0 || lf[-1] != '\r' || s.ptr[0] == ':' || !memchr(s.ptr, ':', n))
			return false;
		s = span_from(s, n + 1);
	}
	return s.len == 2 && memcmp(s.ptr, "\r\n", 2) == 0;
}

/*
 * The offset in s at which the body ends, 0 if it does not: after CR LF 0 CR LF CR LF, if s ends
 * there or another message begins there; or at the end of s, if s ends in a last chunk with
 * trailers. The bytes in `before` precede s, and skipped bytes precede them. Only offsets above
 * `from` count. *ret_trailers is where the trailer section begins, the end if there is none.
 */
static size_t find_end(struct span s, struct span before, size_t from, bool is_response,
		       size_t *ret_trailers)
{
	struct span rest = s;
	const char *zero;

	while ((zero = memmem(rest.ptr, rest.len, "0\r\n", 3))) {
		size_t at = (size_t)(zero - s.ptr);
		size_t end = at + 5;

		rest = span_from(s, at + 3);
		if (!is_line_start(s, at, before))
			continue;
		if (end <= s.len && end > from && memcmp(zero + 3, "\r\n", 2) == 0 &&
		    (end == s.len || http1_head_has_start(span_from(s, end), is_response))) {
			*ret_trailers = end;
			return end;
		}
		if (s.len > from && rest.len > 2 && is_trailer_section(rest)) {
			*ret_trailers = s.len - rest.len;
			return s.len;
		}
	}
	return 0;
}

/*
 * The BPF programs copy the last bytes of each write. If a write ends in data that looks like the
 * last chunk, the body seems to end too early; the bytes after it are then reported as a bad start
 * line. A last chunk in an unusual form (00, extensions) is not recognised, and the body ends when
 * the next message begins.
 */
enum http1_chunk_result http1_unframed_data(struct http1 *p, struct span data, size_t *ret_used,
					    size_t *ret_trailers)
{
	struct span before = {p->tail, p->tail_len};
	char joined[sizeof(p->tail) + 32];
	size_t trailers = 0;
	size_t end;

	if (http1_head_has_start(data, p->is_response))
		return HTTP1_CHUNK_BAD;
	if (data.len <= sizeof(joined) - sizeof(p->tail)) {
		/* The last chunk may begin in the previous segment. */
		struct span dropped = {"", before.len == sizeof(p->tail)};

		memcpy(joined, before.ptr, before.len);
		memcpy(joined + before.len, data.ptr, data.len);
		end = find_end((struct span){joined, before.len + data.len}, dropped, before.len,
			       p->is_response, &trailers);
		end -= end ? before.len : 0;
		trailers = trailers < before.len ? SIZE_MAX : trailers - before.len;
	} else {
		end = find_end(data, before, 0, p->is_response, &trailers);
	}
	if (end) {
		*ret_used = end;
		*ret_trailers = trailers;
		return HTTP1_CHUNK_DONE;
	}
	if (data.len >= sizeof(p->tail)) {
		p->tail_len = sizeof(p->tail);
		memcpy(p->tail, data.ptr + data.len - sizeof(p->tail), sizeof(p->tail));
	} else {
		size_t keep = sizeof(p->tail) - data.len;

		if (keep > before.len)
			keep = before.len;
		memmove(p->tail, p->tail + before.len - keep, keep);
		memcpy(p->tail + keep, data.ptr, data.len);
		p->tail_len = (uint8_t)(keep + data.len);
	}
	*ret_used = data.len;
	return HTTP1_CHUNK_MORE;
}
