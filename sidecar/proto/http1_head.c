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
	return memcmp(p, "HTTP/", 5) == 0 && is_digit(p[5]) && p[6] == '.' && is_digit(p[7]);
}

static inline enum http_version version_of(const char *p)
{
	/* A server answers a minor version it does not know with its own highest. */
	return p[5] == '1' && p[7] == '0' ? HTTP_1_0 : HTTP_1_1;
}

/* Length of the method in p[0, n), 0 if there is none that ends in a space. */
static inline size_t method_len(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_tchar[(unsigned char)p[i]])
		i++;
	return i < n && p[i] == ' ' && i <= HTTP1_METHOD_MAX ? i : 0;
}

/*
 * The authority of an absolute-form target takes the place of Host (RFC 9112 section 3.2.2), and
 * the target of CONNECT is nothing else. User information is nobody's business.
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
 * method SP target SP version. Spaces inside a target are let through, since servers answer
 * them, be it with 400; no version means HTTP/0.9, which nobody speaks.
 */
static inline bool request_line(struct message *m, const char *p, size_t n)
{
	size_t method = method_len(p, n);
	size_t start = method;
	size_t end;

	while (n > 0 && p[n - 1] == ' ')
		n--;
	if (method == 0 || n < method + 11 || p[n - 9] != ' ' || !is_version(p + n - 8))
		return false;
	for (end = n - 9; end > start && p[end - 1] == ' '; end--)
		;
	while (start < end && p[start] == ' ')
		start++;
	if (start == end)
		return false;
	m->version = version_of(p + n - 8);
	m->method = (struct span){p, method};
	m->target = (struct span){p + start, end - start};
	if (p[start] != '/')
		host_of_target(m);
	/* The preface of HTTP/2 was made to look like this (RFC 9113 section 3.4). */
	return !(method == 3 && p[n - 3] == '2' && memcmp(p, "PRI", 3) == 0);
}

/* What a request line tells that was cut off: method, and the target up to there. */
static bool request_line_cut(struct message *m, const char *p, size_t n)
{
	size_t method = method_len(p, n);
	size_t start = method;
	size_t end;

	if (method == 0)
		return false;
	while (start < n && p[start] == ' ')
		start++;
	/* Sixteen KiB without a line end are often another protocol. */
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

/* version SP status [SP reason]; needs no more than twelve characters. */
static inline bool status_line(struct message *m, const char *p, size_t n)
{
	if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) || p[8] != ' ' ||
	    !is_digit(p[9]) || p[9] == '0' || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (n > 12 && p[12] != ' ' && p[12] != '\r'))
		return false;
	m->version = version_of(p);
	m->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	return true;
}

static inline bool start_line(struct message *m, const char *p, size_t n)
{
	if (n > 0 && p[n - 1] == '\r')
		n--;
	return m->is_response ? status_line(m, p, n) : request_line(m, p, n);
}

bool http1_head_starts(struct span s, bool is_response)
{
	static const char version[] = "HTTP/1.";
	const char *lf = memchr(s.ptr, '\n', s.len);
	struct message m = {.is_response = is_response};
	size_t i;

	if (lf)
		return start_line(&m, s.ptr, (size_t)(lf - s.ptr));
	if (is_response) {
		for (i = 0; i < s.len && i < 13; i++) {
			char c = s.ptr[i];

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

/* The block at p + at, of n bytes in all. Never reads behind p + n. */
static inline uint32_t scan(const char *p, size_t at, size_t n)
{
	if (n - at >= HTTP1_SCAN_BLOCK)
		return http1_scan_block(p + at);
	if (n >= HTTP1_SCAN_BLOCK)
		return http1_scan_block(p + n - HTTP1_SCAN_BLOCK) >> (HTTP1_SCAN_BLOCK - (n - at));
	return http1_scan_few(p + at, n - at);
}

static inline enum http1_head_result parse(struct http1_head *h, struct span in, bool is_response,
					   bool is_cut)
{
	const char *p = in.ptr;
	size_t n = in.len < HTTP1_HEAD_MAX ? in.len : HTTP1_HEAD_MAX;
	size_t line = 0; /* where the line begins that is being looked at */
	size_t fields = 0; /* where the field lines begin */

	*h = (struct http1_head){.m.is_response = is_response};
	for (size_t at = 0; at < n; at += HTTP1_SCAN_BLOCK) {
		for (uint32_t mask = scan(p, at, n); mask; mask &= mask - 1) {
			size_t lf = at + (size_t)__builtin_ctz(mask);
			size_t len = lf - line;

			if (p[lf] != '\n') {
				h->framing.has_nul |= p[lf] == '\0';
				continue;
			}
			if (line == 0) {
				if (!start_line(&h->m, p, len))
					return HTTP1_HEAD_BAD;
				fields = lf + 1;
			} else if (len == 0 || (len == 1 && p[line] == '\r')) {
				h->m.fields = (struct span){p + fields, line - fields};
				h->len = lf + 1;
				return HTTP1_HEAD_DONE;
			} else if (http1_field(h, p + line, len) && line != fields) {
				return HTTP1_HEAD_FOLDED;
			}
			line = lf + 1;
		}
	}
	if (!is_cut)
		return HTTP1_HEAD_MORE;
	h->m.is_cut = true;
	h->len = n;
	h->m.fields = (struct span){p + fields, line - fields};
	if (line > 0)
		return HTTP1_HEAD_DONE;
	h->m.fields.len = 0;
	if (is_response ? status_line(&h->m, p, n) : request_line_cut(&h->m, p, n))
		return HTTP1_HEAD_DONE;
	return HTTP1_HEAD_BAD;
}

enum http1_head_result http1_head_parse(struct http1_head *h, struct span in, bool is_response)
{
	return parse(h, in, is_response, false);
}

enum http1_head_result http1_head_parse_cut(struct http1_head *h, struct span in, bool is_response)
{
	return parse(h, in, is_response, true);
}

void http1_head_unfold(char *buf, size_t len)
{
	size_t first = 0; /* line ends in the head so far: the first one ends the start line */

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
		(void)http1_field(&h, line.ptr, line.len); /* continuation lines add nothing here */
	*f = h.framing;
}
