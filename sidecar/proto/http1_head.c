/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http1_head.h"

#include "proto/http1.h"
#include "proto/http1_field.h"
#include "proto/http1_scan.h"

/* Characters of a token (RFC 9110 section 5.6.2). */
static const bool is_tchar[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,	    ['&'] = 1,	       ['\''] = 1,
	['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,	    ['^'] = 1,	       ['_'] = 1,
	['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* "HTTP/d.d" */
static inline bool is_version(const char *p)
{
	return memcmp(p, "HTTP/1.1", 8) == 0 ||
	       (memcmp(p, "HTTP/", 5) == 0 && is_digit(p[5]) && p[6] == '.' && is_digit(p[7]));
}

static inline enum http_version version_of(const char *p)
{
	/* A server answers an unknown minor version with its own highest one. */
	return p[5] == '1' && p[7] == '0' ? HTTP_1_0 : HTTP_1_1;
}

/* The length of the method in p[0, n), 0 if there is none that ends in a space. */
static inline size_t method_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_tchar[(unsigned char)p[i]])
		i++;
	return i < n && p[i] == ' ' && i <= HTTP1_METHOD_MAX ? i : 0;
}

/*
 * The authority of an absolute-form target replaces Host (RFC 9112 section 3.2.2). The target of
 * CONNECT is an authority. User information is dropped: it may hold a password.
 */
static void host_of_target(struct message *m)
{
	struct span t = m->target;
	const char *colon = memchr(t.ptr, ':', t.len);
	const char *at;
	size_t i;

	if (span_is(m->method, "CONNECT")) {
		m->host = t;
		return;
	}
	if (!colon || !span_starts(span_from(t, (size_t)(colon - t.ptr)), "://"))
		return;
	t = span_from(t, (size_t)(colon - t.ptr) + 3);
	for (i = 0; i < t.len && t.ptr[i] != '/' && t.ptr[i] != '?' && t.ptr[i] != '#'; i++)
		;
	t.len = i;
	at = memrchr(t.ptr, '@', t.len);
	m->host = at ? span_from(t, (size_t)(at - t.ptr) + 1) : t;
}

/*
 * method SP target SP version. Spaces inside the target are accepted, since servers answer such
 * requests, be it with 400. A missing version would mean HTTP/0.9, which no client speaks.
 */
static inline bool request_line(struct message *m, const char *p, size_t n)
{
	size_t method = method_len(p, n);
	size_t start = method + 1;
	size_t end;

	while (n > 0 && p[n - 1] == ' ')
		n--;
	if (method == 0 || n < method + 11 || p[n - 9] != ' ' || !is_version(p + n - 8))
		return false;
	end = n - 9;
	while (p[end - 1] == ' ' && end > start)
		end--;
	while (p[start] == ' ' && start < end)
		start++;
	if (start >= end)
		return false;
	m->version = version_of(p + n - 8);
	m->method = (struct span){p, method};
	m->target = (struct span){p + start, end - start};
	if (p[start] == '/')
		return true;
	host_of_target(m);
	/* HTTP/2's preface has the form of a request line on purpose (RFC 9113 section 3.4). */
	return !span_is(m->method, "PRI");
}

/* A truncated request line: the method, and the target as far as it goes. */
static bool truncated_request_line(struct message *m, const char *p, size_t n)
{
	size_t method = method_len(p, n);
	size_t start = method;
	size_t end;

	if (method == 0)
		return false;
	while (start < n && p[start] == ' ')
		start++;
	/* Another protocol is more likely than a request with 16 KiB of control characters. */
	for (end = start; end < n && p[end] != ' ' && p[end] != '\r'; end++) {
		if ((unsigned char)p[end] < ' ')
			return false;
	}
	m->version = HTTP_1_1;
	m->method = (struct span){p, method};
	m->target = (struct span){p + start, end - start};
	if (end > start && p[start] != '/')
		host_of_target(m);
	return true;
}

/*
 * version SP status [SP reason], of which twelve characters suffice. Some servers write two spaces
 * before the status.
 */
static inline bool status_line(struct message *m, const char *p, size_t n)
{
	if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) || p[8] != ' ')
		return false;
	m->version = version_of(p);
	if (p[9] == ' ') {
		p++;
		n--;
	}
	if (n < 12 || !is_digit(p[9]) || p[9] == '0' || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (n > 12 && p[12] != ' ' && p[12] != '\r'))
		return false;
	m->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	return true;
}

static inline bool start_line(struct message *m, const char *p, size_t n, bool is_response)
{
	if (n > 0 && p[n - 1] == '\r')
		n--;
	return is_response ? status_line(m, p, n) : request_line(m, p, n);
}

bool http1_head_starts(struct span s, bool is_response)
{
	static const char version[] = "HTTP/1.";
	const char *lf = memchr(s.ptr, '\n', s.len);
	struct message m = {.is_response = is_response};
	size_t i;

	if (lf)
		return start_line(&m, s.ptr, (size_t)(lf - s.ptr), is_response);
	if (is_response) {
		size_t gap = s.len > 9 && s.ptr[9] == ' ';

		for (i = 0; i + gap < s.len && i < 13; i++) {
			char c = i < 9 ? s.ptr[i] : s.ptr[i + gap];

			if (i < 7     ? c != version[i]
			    : i == 8  ? c != ' '
			    : i == 12 ? c != ' ' && c != '\r'
				      : !is_digit(c) || (i == 9 && c == '0'))
				return false;
		}
		return true;
	}
	for (i = 0; i < s.len && i <= HTTP1_METHOD_MAX; i++) {
		if (!is_tchar[(unsigned char)s.ptr[i]])
			return i > 0 && s.ptr[i] == ' ';
	}
	return i <= HTTP1_METHOD_MAX;
}

bool http1_head_has_start(struct span s, bool is_response)
{
	return memchr(s.ptr, '\n', s.len) && http1_head_starts(s, is_response);
}

/* The mask of the block at p. The head has n bytes and ends at end; nothing outside is read. */
static inline uint32_t scan(const char *p, const char *end, size_t n)
{
	size_t left = (size_t)(end - p);

	if (__builtin_expect(left >= HTTP1_SCAN_BLOCK, 1))
		return http1_scan_block(p);
	if (n >= HTTP1_SCAN_BLOCK)
		return http1_scan_block(end - HTTP1_SCAN_BLOCK) >> (HTTP1_SCAN_BLOCK - left);
	return http1_scan_few(p, left);
}

/*
 * By the first character c of a line: table[c] is such that a line of len bytes has to be parsed if
 * len + table[c] > HTTP1_HEAD_MAX, that is, if it has at least the n bytes of FROM(n). Such lines
 * are fields that the parser reads (name in either case, with its colon), continuation lines (white
 * space), and the empty line (CR or LF). All other lines have 0: no line is long enough. Lines of
 * b3 and X-B3-SpanId count only if they have room for identifiers: names with an x are many, and
 * strangers send short lines by the thousand.
 */
#define FROM(n)	   (HTTP1_HEAD_MAX + 1 - (n))
#define NAME(c, n) [(c) - 'a' + 'A'] = FROM((n) + 1), [c] = FROM((n) + 1)
#define IN_ALL	   NAME('c', 12), [' '] = FROM(0), ['\t'] = FROM(0), ['\r'] = FROM(0), ['\n'] = FROM(0)
static const uint16_t at_start[256] = {[0 ... 255] = FROM(0)};
static const uint16_t in_response[256] = {IN_ALL, NAME('t', 17)};
static const uint16_t in_request[256] = {
	IN_ALL,	       NAME('h', 4),	  NAME('u', 10),     NAME('e', 6),
	NAME('t', 11), NAME('b', 2 + 33), NAME('x', 11 + 16)};

/* The kinds of a line that is long enough to matter. */
enum { LINE_FIELD, LINE_EMPTY, LINE_FOLDED };

static inline int take_line(struct http1_head *h, const char *line, const char *lf)
{
	size_t len = (size_t)(lf - line);

	if (len == 0 || (len == 1 && *line == '\r'))
		return LINE_EMPTY;
	return http1_field(h, line, len) ? LINE_FOLDED : LINE_FIELD;
}

/* The input ends before the head does. `line` is the unfinished line. */
static enum http1_head_result cut(struct http1_head *h, struct span in, const char *fields,
				  const char *line)
{
	h->m.is_truncated = true;
	h->len = in.len;
	if (fields) {
		h->m.fields = (struct span){fields, (size_t)(line - fields)};
		return HTTP1_HEAD_DONE;
	}
	if (h->m.is_response ? status_line(&h->m, in.ptr, in.len)
			     : truncated_request_line(&h->m, in.ptr, in.len))
		return HTTP1_HEAD_DONE;
	return HTTP1_HEAD_BAD;
}

/* See http1_head.message_len; the rules are from RFC 9112 section 6.3. */
static uint64_t message_len_of(const struct http1_head *h)
{
	const struct http1_framing *f = &h->framing;

	if (h->m.is_response && http1_is_bodyless(h->m.status))
		return 0;
	if (f->has_nul || f->has_coding || f->is_bad_length ||
	    (!f->has_length && h->m.is_response) || f->length > UINT64_MAX - h->len)
		return 0;
	return h->len + f->length;
}

/* Inlined twice, for requests and for responses, so that is_response is a constant in the loop. */
static inline __attribute__((always_inline)) enum http1_head_result
parse(struct http1_head *h, struct span in, bool is_response, bool is_truncated)
{
	const char *p = in.ptr;
	const char *line = p; /* start of the current line */
	const char *fields = NULL; /* start of the field lines */
	const uint16_t *lack = at_start;
	size_t n = in.len < HTTP1_HEAD_MAX ? in.len : HTTP1_HEAD_MAX;
	const char *block = p;

	memset(h, 0, sizeof(*h));
	h->m.is_response = is_response;
	for (const char *end = p + n; block < end; block += HTTP1_SCAN_BLOCK) {
		for (uint32_t mask = scan(block, end, n); mask; mask &= mask - 1) {
			const char *lf = block + (unsigned)__builtin_ctz(mask);
			int kind;

			if (__builtin_expect(*lf != '\n', 0)) {
				h->framing.has_nul |= *lf == '\0';
				continue;
			}
			if ((size_t)(lf - line) + lack[(unsigned char)*line] <= HTTP1_HEAD_MAX) {
				line = lf + 1;
				continue;
			}
			if (!fields) {
				if (!start_line(&h->m, p, (size_t)(lf - p), is_response))
					return HTTP1_HEAD_BAD;
				line = fields = lf + 1;
				lack = is_response ? in_response : in_request;
				continue;
			}
			kind = take_line(h, line, lf);
			if (kind == LINE_EMPTY) {
				h->m.fields = (struct span){fields, (size_t)(line - fields)};
				h->len = (size_t)(lf + 1 - p);
				h->message_len = message_len_of(h);
				return HTTP1_HEAD_DONE;
			}
			if (kind == LINE_FOLDED && line != fields)
				return HTTP1_HEAD_FOLDED;
			line = lf + 1;
		}
	}
	return is_truncated ? cut(h, (struct span){p, n}, fields, line) : HTTP1_HEAD_MORE;
}

enum http1_head_result http1_head_parse(struct http1_head *h, struct span in, bool is_response)
{
	return is_response ? parse(h, in, true, false) : parse(h, in, false, false);
}

enum http1_head_result http1_head_parse_truncated(struct http1_head *h, struct span in,
						  bool is_response)
{
	return parse(h, in, is_response, true);
}

void http1_head_unfold(char *buf, size_t len)
{
	size_t first = 0; /* line ends seen so far; the first one ends the start line */

	for (size_t i = 0; i + 1 < len; i++) {
		if (buf[i] != '\n')
			continue;
		if (first++ == 0 || (buf[i + 1] != ' ' && buf[i + 1] != '\t'))
			continue;
		buf[i] = ' ';
		if (buf[i - 1] == '\r')
			buf[i - 1] = ' ';
	}
}

void http1_head_field(struct http1_framing *f, struct span line)
{
	struct http1_head h = {.framing = *f, .m.is_response = true};

	h.framing.has_nul |= memchr(line.ptr, '\0', line.len) != NULL;
	if (line.len > 0)
		/* the result is ignored: a continuation line does not affect framing */
		(void)http1_field(&h, line.ptr, line.len);
	*f = h.framing;
}
