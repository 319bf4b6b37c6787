/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: every input is parsed whole, cut in two at every place, and byte by byte, and must
 * give the same calls. After a failure the result depends on where segments begin (SYNC), so
 * the segments are compared up to the first failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "http1_trace.h"
#include "proto/http1_head.h"
#include "proto/http1_scan.h"

#define BYTES(s) s, sizeof(s) - 1

struct test_case {
	const char *why;
	const char *input;
	size_t len;
	const char *want;
};

static const struct test_case requests[] = {
	{"what wrk sends", BYTES("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"),
	 "> GET / 1.1 host=127.0.0.1:8080\nend 0\n"},
	{"what curl sends",
	 BYTES("GET /a?b=c HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"),
	 "> GET /a?b=c 1.1 host=x ua=curl/7.88.1\nend 0\n"},
	{"no fields at all", BYTES("GET / HTTP/1.0\r\n\r\n"), "> GET / 1.0\nend 0\n"},
	{"three in one segment",
	 BYTES("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
	 "> GET /1 1.1\nend 0\n> GET /2 1.1\nend 0\n> GET /3 1.1\nend 0\n"},
	{"bare LF ends lines (RFC 9112 section 2.2)", BYTES("GET / HTTP/1.1\nHost: x\n\n"),
	 "> GET / 1.1 host=x\nend 0\n"},
	{"empty lines before a request line are skipped",
	 BYTES("\r\n\r\n\nGET / HTTP/1.1\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"),
	 "> GET / 1.1\nend 0\n> GET /2 1.1\nend 0\n"},
	{"field names have no case", BYTES("GET / HTTP/1.1\r\nhOST: x\r\nUSER-agent: u\r\n\r\n"),
	 "> GET / 1.1 host=x ua=u\nend 0\n"},
	{"white space around values is not part of them",
	 BYTES("GET / HTTP/1.1\r\nHost: \t x \t \r\nUser-Agent:u\r\n\r\n"),
	 "> GET / 1.1 host=x ua=u\nend 0\n"},
	{"names that share a first letter and a length",
	 BYTES("GET / HTTP/1.1\r\nHose: x\r\nContent-Lengty: 5\r\nUser-Agenx: u\r\nExpecx: y\r\n"
	       "Connectiox: upgrade\r\nTransfer-Encodinx: chunked\r\nContent-Typx: t\r\n\r\n"),
	 "> GET / 1.1\nend 0\n"},
	{"any token is a method", BYTES("X!#$%&'*+-.^_`|~09az / HTTP/1.1\r\n\r\n"),
	 "> X!#$%&'*+-.^_`|~09az / 1.1\nend 0\n"},
	{"WebDAV", BYTES("PROPFIND /d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
	 "> PROPFIND /d 1.1\nend 3\n"},
	{"absolute-form names the host (RFC 9112 section 3.2.2)",
	 BYTES("GET http://u:p@real:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n"),
	 "> GET http://u:p@real:81/p?q 1.1 host=real:81\nend 0\n"},
	{"absolute-form without a path", BYTES("GET http://real HTTP/1.1\r\n\r\n"),
	 "> GET http://real 1.1 host=real\nend 0\n"},
	{"authority-form", BYTES("CONNECT h:443 HTTP/1.1\r\nHost: y\r\n\r\n"),
	 "> CONNECT h:443 1.1 host=h:443\nend 0\n"},
	{"asterisk-form", BYTES("OPTIONS * HTTP/1.1\r\nHost: y\r\n\r\n"),
	 "> OPTIONS * 1.1 host=y\nend 0\n"},
	{"the first Host counts", BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
	 "> GET / 1.1 host=a\nend 0\n"},
	{"spaces around and in the target: answered, so counted",
	 BYTES("GET   /a b   HTTP/1.1  \r\n\r\n"), "> GET /a b 1.1\nend 0\n"},
	{"an unknown minor version", BYTES("GET / HTTP/1.7\r\n\r\n"), "> GET / 1.1\nend 0\n"},
	{"a major version that gets 505", BYTES("GET / HTTP/3.0\r\n\r\n"), "> GET / 1.1\nend 0\n"},
	{"Content-Length",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n"),
	 "> POST / 1.1\nend 5\n> GET / 1.1\nend 0\n"},
	{"a body that looks like a request",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /2 "
	       "HTTP/1.1\r\n\r\n"),
	 "> POST / 1.1\nend 18\n> GET /2 1.1\nend 0\n"},
	{"a body that begins with line ends is body",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
	 "> POST / 1.1\nend 4\n> GET / 1.1\nend 0\n"},
	{"zeros before the length", BYTES("POST / HTTP/1.1\r\nContent-Length: 0002\r\n\r\nab"),
	 "> POST / 1.1\nend 2\n"},
	{"lengths that agree (RFC 9112 section 6.3)",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello"),
	 "> POST / 1.1\nend 5\n"},
	{"lengths that differ in a list",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 5,6\r\n\r\nhello"),
	 "> POST / 1.1\nfail length head\n"},
	{"lengths that differ over lines",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
	 "> POST / 1.1\nfail length head\n"},
	{"no length", BYTES("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n"),
	 "> POST / 1.1\nfail length head\n"},
	{"a sign is no digit", BYTES("POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello"),
	 "> POST / 1.1\nfail length head\n"},
	{"hexadecimal", BYTES("POST / HTTP/1.1\r\nContent-Length: 0x5\r\n\r\nhello"),
	 "> POST / 1.1\nfail length head\n"},
	{"one too many for 64 bits",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n"),
	 "> POST / 1.1\nfail length head\n"},
	{"the most 64 bits can say",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nx"),
	 "> POST / 1.1\ninside\n"},
	{"a space before the colon: the line has no meaning",
	 BYTES("POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\n"), "> POST / 1.1\nend 0\n"},
	{"lines without a colon, or a name, are passed over",
	 BYTES("GET / HTTP/1.1\r\nnothing\r\n: x\r\n:\r\n\r\r\nHost: h\r\n\r\n"),
	 "> GET / 1.1 host=h\nend 0\n"},
	{"chunked",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "5\r\nhello\r\nA;ext=\"x\"\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
	 "> POST / 1.1\nend 38\n> GET / 1.1\nend 0\n"},
	{"Transfer-Encoding beats Content-Length (RFC 9112 section 6.3)",
	 BYTES("POST / HTTP/1.1\r\nContent-Length: 99\r\nTransfer-Encoding: gzip, Chunked\r\n"
	       "Content-Length: x\r\n\r\n0\r\n\r\n"),
	 "> POST / 1.1\nend 5\n"},
	{"codings over two lines",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n0\r\n\r\n"),
	 "> POST / 1.1\nend 5\n"},
	{"a request whose last coding is not chunked has no end",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"),
	 "> POST / 1.1\nfail length head\n"},
	{"identity says nothing",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab"),
	 "> POST / 1.1\nend 2\n"},
	{"trailers, padded sizes, bare LF, zeros",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "3 \r\nabc\r\n0003\nabc\n000\r\nX: y\r\nLong-Trailer: z\r\n\r\nGET / "
	       "HTTP/1.1\r\n\r\n"),
	 "> POST / 1.1\nend 48\n> GET / 1.1\nend 0\n"},
	{"the body's mark inside a chunk",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"),
	 "> POST / 1.1\nend 17\n"},
	{"a chunk size of 64 bits",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "FFFFFFFFFFFFFFFF\r\nabc"),
	 "> POST / 1.1\ninside\n"},
	{"a chunk size of 68 bits",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "10000000000000000\r\nabc"),
	 "> POST / 1.1\nfail chunk head\n"},
	{"a chunk size that is none",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
	 "> POST / 1.1\nfail chunk head\n"},
	{"an empty chunk size", BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
	 "> POST / 1.1\nfail chunk head\n"},
	{"a chunk longer than it says",
	 BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"),
	 "> POST / 1.1\nfail chunk head\n"},
	{"100-continue, content type",
	 BYTES("PUT / HTTP/1.1\r\nExpect: 100-Continue\r\nConnection: keep-alive, Upgrade\r\n"
	       "Content-Type: text/plain; charset=x\r\n\r\n"),
	 "> PUT / 1.1 type=text/plain; charset=x expect\nend 0\n"},
	{"no token of Connection changes the framing: a tunnel begins with the response",
	 BYTES("GET / HTTP/1.1\r\nConnection: upgrade, close\r\n\r\n"), "> GET / 1.1\nend 0\n"},
	{"folded fields are one line (RFC 9112 section 5.2)",
	 BYTES("POST / HTTP/1.1\r\nContent-Length:\r\n 5\r\nUser-Agent: a\r\n\tb\n c\r\n\r\nhello"),
	 "> POST / 1.1 ua=a  \tb  c\nend 5\n"},
	{"a first line that begins with a space is ignored with its continuation lines",
	 BYTES("GET / HTTP/1.1\r\n Host: no\r\n\tmore\r\nHost: yes\r\n\r\n"),
	 "> GET / 1.1 host=yes\nend 0\n"},
	{"a line of white space continues the field before it",
	 BYTES("GET / HTTP/1.1\r\nHost: x\r\n \r\n\r\n"), "> GET / 1.1 host=x\nend 0\n"},
	{"NUL in a field: answered with 400 by everyone",
	 BYTES("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), "> GET / 1.1 host=a\nfail field head\n"},
	{"bytes above 127 and controls in values are let through",
	 BYTES("GET /\xc3\xbc HTTP/1.1\r\nUser-Agent: \xe2\x82\xac\x01\x7f\r\n\r\n"),
	 "> GET /\xc3\xbc 1.1 ua=\xe2\x82\xac\x01\x7f\nend 0\n"},
	{"HTTP/0.9", BYTES("GET /\r\n"), "fail start-line\n"},
	{"no target", BYTES("GET  HTTP/1.1\r\n\r\n"), "fail start-line\n"},
	{"another protocol's request line", BYTES("OPTIONS rtsp://x RTSP/1.0\r\n\r\n"),
	 "fail start-line\n"},
	{"the preface of HTTP/2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "fail start-line\n"},
	{"TLS", BYTES("\x16\x03\x01\x02\x00\x01"), "fail start-line\n"},
	{"a response where a request must be", BYTES("HTTP/1.1 200 OK\r\n\r\n"),
	 "fail start-line\n"},
	{"a method longer than any",
	 BYTES("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / "
	       "HTTP/1.1\r\n\r\n"),
	 "fail start-line\n"},
	{"an unfinished head is nothing yet", BYTES("GET / HTTP/1.1\r\nHost: x\r\n"), "inside\n"},
	{"only empty lines", BYTES("\r\n\r\n"), ""},
	{"an unfinished body", BYTES("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell"),
	 "> POST / 1.1\ninside\n"},
};

static const struct test_case responses[] = {
	{"what nginx sends",
	 BYTES("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 15:50:51 GMT\r\n"
	       "Content-Type: text/html\r\nContent-Length: 5\r\n"
	       "Last-Modified: Sun, 22 Nov 2026 15:00:00 GMT\r\nConnection: keep-alive\r\n"
	       "ETag: \"6561-5\"\r\nAccept-Ranges: bytes\r\n\r\nhelloHTTP/1.1 304 Not "
	       "Modified\r\n\r\n"),
	 "< 200 1.1 type=text/html\nend 5\n< 304 1.1\nend 0\n"},
	{"request fields mean nothing in a response",
	 BYTES("HTTP/1.1 200 OK\r\nHost: x\r\nUser-Agent: y\r\nExpect: 100-continue\r\n"
	       "Content-Length: 0\r\n\r\n"),
	 "< 200 1.1\nend 0\n"},
	{"no reason phrase", BYTES("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n"),
	 "< 404 1.1\nend 0\n"},
	{"an empty one", BYTES("HTTP/1.1 404 \nContent-Length: 0\n\n"), "< 404 1.1\nend 0\n"},
	{"interim responses end at once, and come before the final one",
	 BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\n"
	       "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx"),
	 "< 100 1.1\nend 0\n< 103 1.1\nend 0\n< 201 1.1\nend 1\n"},
	{"204 and 304 have no body, whatever they say",
	 BYTES("HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n"
	       "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 "< 204 1.1\nend 0\n< 304 1.1\nend 0\n"},
	{"a status outside the known classes", BYTES("HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n"),
	 "< 999 1.1\nend 0\n"},
	{"without a length, until close", BYTES("HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
	 "< 200 1.0\nend 19\n"},
	{"until close, and empty", BYTES("HTTP/1.1 200 OK\r\n\r\n"), "< 200 1.1\nend 0\n"},
	{"a last coding that is not chunked lasts until close, length or not",
	 BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nabcd"),
	 "< 200 1.1\nend 4\n"},
	{"chunked",
	 BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "1f;x\r\n0123456789012345678901234567890\r\n0\r\nA: b\r\n\r\n"
	       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
	 "< 200 1.1\nend 50\n< 200 1.1\nend 0\n"},
	{"chunked in HTTP/1.0 is honoured, as clients do",
	 BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	 "< 200 1.0\nend 5\n"},
	{"a folded field",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Type: a/b;\r\n  c=d\r\nContent-Length: 0\r\n\r\n"),
	 "< 200 1.1 type=a/b;    c=d\nend 0\n"},
	{"length makes no sense", BYTES("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
	 "< 200 1.1\nfail length head\n"},
	{"a status of two digits", BYTES("HTTP/1.1 20 OK\r\n\r\n"), "fail start-line\n"},
	{"of four", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), "fail start-line\n"},
	{"below 100", BYTES("HTTP/1.1 099 OK\r\n\r\n"), "fail start-line\n"},
	{"another version", BYTES("HTTP/2 200\r\n\r\n"), "fail start-line\n"},
	{"a body where a head must be", BYTES("<html>"), "fail start-line\n"},
	{"more than the length said", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"),
	 "< 200 1.1\nend 1\nfail start-line\n"},
};

static const struct test_case bodyless[] = {
	{"the response to HEAD has the fields and no body",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
	       "chunked\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
	 "< 200 1.1\nend 0\n< 200 1.1\nend 0\n< 200 1.1\nend 0\n"},
	{"not even with a length that makes no sense",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "< 200 1.1\nend 0\n"},
};

static const struct test_case optional[] = {
	{"another response comes in place of the body",
	 BYTES("HTTP/1.1 302 Found\r\nContent-Length: 6\r\n\r\nHTTP/1.1 204 None\r\n\r\n"),
	 "< 302 1.1\nend 0\n< 204 1.1\nend 0\n"},
	{"likewise for chunks",
	 BYTES("HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	 "< 302 1.1\nend 0\n< 302 1.1\nend 5\n"},
	{"a body that begins as a response does",
	 BYTES("HTTP/1.1 302 Found\r\nContent-Length: 6\r\n\r\nHTTP/1HTTP/1.1 204 None\r\n\r\n"),
	 "< 302 1.1\nend 6\n< 204 1.1\nend 0\n"},
	{"a body of which all is held until the end",
	 BYTES("HTTP/1.1 302 Found\r\nContent-Length: 3\r\n\r\nHTT"), "< 302 1.1\nend 3\n"},
	{"a body of which the next byte decides",
	 BYTES("HTTP/1.1 302 Found\r\nContent-Length: 3\r\n\r\nHTHHTTP/1.1 204 None\r\n\r\n"),
	 "< 302 1.1\nend 3\n< 204 1.1\nend 0\n"},
};

static const struct test_case tunnels[] = {
	{"after the owner believes in an upgrade, nothing is HTTP",
	 BYTES("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
	 "< 101 1.1\n"},
	{"the same with CONNECT", BYTES("HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01"), "< 200 1.1\n"},
};

static struct guard guard;

/* Parses the input in segments of n bytes, the first one of first bytes. */
static void parse(struct http1_trace *t, const struct test_case *c, bool is_response, size_t first,
		  size_t n)
{
	struct http1 p = {.is_response = is_response};
	struct span rest = {c->input, c->len};

	text_clear(&t->text);
	t->open = 0;
	for (size_t take = first; rest.len > 0; take = n) {
		if (take > rest.len)
			take = rest.len;
		http1_data(&p, guard_put(&guard, (struct span){rest.ptr, take}), 1, &trace_sink, t);
		rest = span_from(rest, take);
	}
	http1_fin(&p, 2, &trace_sink, t);
	if (http1_is_inside(&p))
		text_add(&t->text, "inside\n");
	if (t->is_wrong)
		fail_msg("%s: calls do not pair:\n%s", c->why, t->text.ptr);
	http1_release(&p);
}

static void compare(const struct test_case *c, const char *got, size_t n, const char *how,
		    size_t at)
{
	if (strncmp(got, c->want, n) != 0)
		fail_msg("%s (%s %zu)\ngot:\n%swant:\n%s", c->why, how, at, got, c->want);
}

static void run(const struct test_case *cases, size_t n, bool is_response, enum http1_body answer)
{
	struct http1_trace t = {.answer = answer};

	text_init(&t.text);
	for (const struct test_case *c = cases; c < cases + n; c++) {
		const char *failed = strstr(c->want, "fail");
		size_t until =
			failed ? (size_t)(strchr(failed, '\n') - c->want) + 1 : (size_t)PTRDIFF_MAX;

		parse(&t, c, is_response, c->len, c->len);
		compare(c, t.text.ptr, (size_t)PTRDIFF_MAX, "whole", c->len);
		for (size_t at = 1; at < c->len; at++) {
			parse(&t, c, is_response, at, c->len);
			compare(c, t.text.ptr, until, "cut at", at);
		}
		parse(&t, c, is_response, 1, 1);
		compare(c, t.text.ptr, until, "segments of", 1);
	}
	text_release(&t.text);
}

#define RUN(cases, is_response, answer)                                                            \
	run(cases, sizeof(cases) / sizeof(*(cases)), is_response, answer)

static void test_requests(void **state)
{
	(void)state;
	RUN(requests, false, HTTP1_BODY_FRAMED);
}

static void test_responses(void **state)
{
	(void)state;
	RUN(responses, true, HTTP1_BODY_FRAMED);
}

static void test_bodyless(void **state)
{
	(void)state;
	RUN(bodyless, true, HTTP1_BODY_NONE);
}

static void test_optional(void **state)
{
	(void)state;
	RUN(optional, true, HTTP1_BODY_OPTIONAL);
}

static void test_tunnels(void **state)
{
	(void)state;
	RUN(tunnels, true, HTTP1_BODY_TUNNEL);
}

/* Heads that differ in one byte, or in their kind, are not confused by the cache. */
static void test_repeated(void **state)
{
	static const char *const heads[] = {
		"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: b\r\n\r\n",
		"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.0\r\nHost: a\r\n\r\n",
	};
	static const char *const want[] = {
		"> GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1.1 host=a @7\nend 0 @7\n",
		"> GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab 1.1 host=a @7\nend 0 @7\n",
		"> GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1.1 host=b @7\nend 0 @7\n",
		"> GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1.0 host=a @7\nend 0 @7\n",
	};
	struct http1_trace t = {.wants_times = true};

	(void)state;
	text_init(&t.text);
	for (size_t i = 0; i < 64; i++) {
		struct http1 p = {.is_response = i % 8 == 7};

		text_clear(&t.text);
		t.open = 0;
		http1_data(&p, guard_put(&guard, span_of(heads[i * 5 / 4 % 4])), 7, &trace_sink,
			   &t);
		assert_string_equal(t.text.ptr,
				    p.is_response ? "fail start-line\n" : want[i * 5 / 4 % 4]);
		http1_release(&p);
	}
	text_release(&t.text);
}

/*
 * Every prefix, where the parser proper reads it, and not the memory of heads: it needs more
 * until the head is complete, and never reads behind it.
 */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct span whole = {requests[i].input, requests[i].len};
		enum http1_head_result last = HTTP1_HEAD_MORE;

		for (size_t n = 0; n <= whole.len; n++) {
			struct span s = guard_put(&guard, (struct span){whole.ptr, n});
			enum http1_head_result result;
			struct http1_head h;

			result = http1_head_parse(&h, s, false);
			if (last != HTTP1_HEAD_MORE && result != last)
				fail_msg("%s: %d, then %d at %zu", requests[i].why, last, result,
					 n);
			last = result;
			/* A truncated head gives the fields so far, or nothing. */
			(void)http1_head_parse_truncated(&h, s, false);
		}
	}
}

/* The SIMD, the portable and the bytewise scan agree on every byte. */
static void test_scan(void **state)
{
	char block[HTTP1_SCAN_BLOCK];

	(void)state;
	for (unsigned i = 0; i < 256 * HTTP1_SCAN_BLOCK; i++) {
		memset(block, (int)(i * 7 / HTTP1_SCAN_BLOCK), sizeof(block));
		block[i % HTTP1_SCAN_BLOCK] = (char)(i / HTTP1_SCAN_BLOCK);
		assert_int_equal(http1_scan_words(block), http1_scan_few(block, sizeof(block)));
		assert_int_equal(http1_scan_block(block), http1_scan_few(block, sizeof(block)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_responses),
		cmocka_unit_test(test_bodyless), cmocka_unit_test(test_optional),
		cmocka_unit_test(test_tunnels),	 cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_prefixes), cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
