/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing with skipped or lost bytes, heads over the limit, tunnels and
 * times, as short scripts with one letter per step of input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "guard.h"
#include "http1_trace.h"
#include "proto/http1_head.h"

#define STEPS	 12
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define CHUNKED	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LENGTH9	 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
#define REQUEST	 "GET / HTTP/1.1\r\n\r\n"

/* Step n happens at time n, counted from 1. */
struct step {
	enum { END, DATA, SKIP, LOST, FIN, CUT } what;
	const char *data;
	uint64_t len;
};

#define D(s)                                                                                       \
	{                                                                                          \
		DATA, s, sizeof(s) - 1                                                             \
	}
#define S(n)                                                                                       \
	{                                                                                          \
		SKIP, NULL, n                                                                      \
	}
#define L(n)                                                                                       \
	{                                                                                          \
		LOST, NULL, n                                                                      \
	}
#define F                                                                                          \
	{                                                                                          \
		FIN, NULL, 0                                                                       \
	}
#define C                                                                                          \
	{                                                                                          \
		CUT, NULL, 0                                                                       \
	}
#define STEPS_OF(...)                                                                              \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static const struct {
	const char *why;
	bool is_response;
	struct step steps[STEPS];
	const char *want;
} cases[] = {
	{"a head over three segments begins with its first byte, ends with its last", false,
	 STEPS_OF(D("GE"), D("T / HTTP/1.1\r\nA: b"), D("\r\n\r\n")), "> GET / 1.1 @1\nend 0 @3\n"},
	{"a body ends with its last byte", true, STEPS_OF(D(LENGTH9 "abcd"), D("efghi")),
	 "< 200 1.1 @1\nend 9 @2\n"},
	{"a body until close ends with its last byte, not with the close", true,
	 STEPS_OF(D("HTTP/1.0 200 OK\r\n\r\nab"), D("c"), F), "< 200 1.0 @1\nend 3 @2\n"},
	{"a body of known length that was not copied", true,
	 STEPS_OF(D(LENGTH9), S(9), D(RESPONSE)),
	 "< 200 1.1 @1\nend 9 @2\n< 200 1.1 @3\nend 0 @3\n"},
	{"in parts", true, STEPS_OF(D(LENGTH9 "a"), S(3), D("efgh"), S(1)),
	 "< 200 1.1 @1\nend 9 @4\n"},
	{"more skipped than the body has: the next head is gone", true,
	 STEPS_OF(D(LENGTH9), S(10), D("x"), D(RESPONSE)),
	 "< 200 1.1 @1\nend 9 @2\nfail lost\n< 200 1.1 @4\nend 0 @4\n"},
	{"lost body bytes of known length are only counted", true,
	 STEPS_OF(D(LENGTH9), L(4), D("efghi" RESPONSE)),
	 "< 200 1.1 @1\nend 9 @3\n< 200 1.1 @3\nend 0 @3\n"},
	{"lost up to the very end of the body", true, STEPS_OF(D(LENGTH9), L(9), D(RESPONSE)),
	 "< 200 1.1 @1\nend 9 @2\n< 200 1.1 @3\nend 0 @3\n"},
	{"lost beyond the end of the body", true, STEPS_OF(D(LENGTH9), L(20), D("x"), D(RESPONSE)),
	 "< 200 1.1 @1\nend 9 @2\nfail lost\n< 200 1.1 @4\nend 0 @4\n"},
	{"lost between messages: a message may be gone", false,
	 STEPS_OF(D(REQUEST), L(20), D(REQUEST)),
	 "> GET / 1.1 @1\nend 0 @1\nfail lost\n> GET / 1.1 @3\nend 0 @3\n"},
	{"lost inside a head", false, STEPS_OF(D("GET / HT"), L(3), D("1\r\n\r\n"), D(REQUEST)),
	 "fail lost\n> GET / 1.1 @4\nend 0 @4\n"},
	{"nothing lost, nothing skipped", false, STEPS_OF(L(0), S(0), D(REQUEST)),
	 "> GET / 1.1 @3\nend 0 @3\n"},
	{"bytes until close may be lost or skipped", true,
	 STEPS_OF(D("HTTP/1.0 200 OK\r\n\r\n"), L(4), S(5), F), "< 200 1.0 @1\nend 9 @3\n"},

	{"out of sync: only a segment that begins with a start line is parsed", true,
	 STEPS_OF(L(1), D("x" RESPONSE), D("HTTP/1.1 20"), D("0 OK\r\nContent-Length: 0\r\n\r\n")),
	 "fail lost\n< 200 1.1 @3\nend 0 @4\n"},
	{"the end of a body, or of a method: neither is taken for the start of the next line",
	 false, STEPS_OF(D(REQUEST), L(1), D("abcdef"), D(REQUEST), D(REQUEST)),
	 "> GET / 1.1 @1\nend 0 @1\nfail lost\n> GET / 1.1 @5\nend 0 @5\n"},
	{"what only began like one is no news", true,
	 STEPS_OF(L(1), D("HTTP"), D("S is not"), D("HTTP/1.1 OK\r\n"), D(RESPONSE)),
	 "fail lost\n< 200 1.1 @5\nend 0 @5\n"},
	{"after a failure the rest of the segment is dropped, and the next one parsed", false,
	 STEPS_OF(D("\x01" REQUEST), D(REQUEST)), "fail start-line\n> GET / 1.1 @2\nend 0 @2\n"},
	{"a second failure is news again", false, STEPS_OF(D("\x01"), D(REQUEST "\x01")),
	 "fail start-line\n> GET / 1.1 @2\nend 0 @2\nfail start-line\n"},

	{"skipped and lost inside a chunk: still exact", true,
	 STEPS_OF(D(CHUNKED "a\r\n01"), S(3), L(3), D("89\r\n0\r\n\r\n" RESPONSE)),
	 "< 200 1.1 @1\nend 20 @4\n< 200 1.1 @4\nend 0 @4\n"},
	{"skipped to the end of a chunk: still exact", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(10), D("\r\n0\r\n\r\n")), "< 200 1.1 @1\nend 20 @3\n"},
	{"lost chunked framing", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), L(11), D("0\r\n\r\n"), D(RESPONSE)),
	 "< 200 1.1 @1\nfail lost head\n< 200 1.1 @4\nend 0 @4\n"},
	{"skipped framing: the tail ends the body", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("xyz\r\n0\r\n\r\n"), D(RESPONSE)),
	 "< 200 1.1 @1\nend 5013 @3\n< 200 1.1 @4\nend 0 @4\n"},
	{"skipped framing, and a tail that is the end of a long trailer: the next message tells",
	 true, STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("yz\r\n\r\n"), D(RESPONSE)),
	 "< 200 1.1 @1\nend 5009 @3\n< 200 1.1 @4\nend 0 @4\n"},
	{"likewise, but more chunks follow", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("yz\r\n\r\n"), D("5\r\nhello\r\n0\r\n\r\n")),
	 "< 200 1.1 @1\nend 5024 @4\n"},
	{"a tail that is no end before the next message", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("yz\r\n"), D(RESPONSE)),
	 "< 200 1.1 @1\nfail lost head\n< 200 1.1 @4\nend 0 @4\n"},
	{"only the last chunk, in a write of its own", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("0\r\n\r\n")), "< 200 1.1 @1\nend 5008 @3\n"},
	{"the end of a chunk that ends in 0 is not the last chunk", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("10\r\n\r\n"), D("0\r\n\r\n")),
	 "< 200 1.1 @1\nend 5014 @4\n"},
	{"the last chunk spans two segments", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("0123456789abcdef\r"), D("\n0\r"), D("\n\r"),
		  D("\n")),
	 "< 200 1.1 @1\nend 5026 @6\n"},
	{"a tail that does not end the body", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("xyz\r\n"), S(100), D("\n0\r\n\r\n")),
	 "< 200 1.1 @1\nend 5114 @5\n"},
	{"with trailers", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("x\r\n0\r\nDigest: abc\r\nA: b\r\n\r\n"),
		  D(RESPONSE)),
	 "< 200 1.1 @1\nend 5030 @3\n< 200 1.1 @4\nend 0 @4\n"},
	{"text that ends in an empty line is no trailer section", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("x\r\n0\r\nsome text\r\n\r\n")),
	 "< 200 1.1 @1\ninside\n"},
	{"the end, and the next message, in one segment", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("abc\r\n0\r\n\r\n" RESPONSE)),
	 "< 200 1.1 @1\nend 5013 @3\n< 200 1.1 @3\nend 0 @3\n"},
	{"the last chunk inside a segment, and no message behind it", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("abc\r\n0\r\n\r\nabc"), D("\r\n0\r\n\r\n")),
	 "< 200 1.1 @1\nend 5023 @4\n"},
	{"the end was missed: the message is dropped, the next one is not", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D(RESPONSE)),
	 "< 200 1.1 @1\nfail lost head\n< 200 1.1 @3\nend 0 @3\n"},
	{"data that looks like the last chunk: the bytes behind it are reported as malformed once",
	 true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("\r\n0\r\n\r\n"), D("more"), S(100),
		  D("\r\n0\r\n\r\n"), D(RESPONSE)),
	 "< 200 1.1 @1\nend 5010 @3\nfail start-line\n< 200 1.1 @7\nend 0 @7\n"},
	{"a false end, followed by a skip", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("\r\n0\r\n\r\n"), S(9), D("more"), D(RESPONSE)),
	 "< 200 1.1 @1\nend 5010 @3\nfail lost\n< 200 1.1 @6\nend 0 @6\n"},
	{"lost where framing is lost already", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), L(1), D(RESPONSE)),
	 "< 200 1.1 @1\nfail lost head\n< 200 1.1 @4\nend 0 @4\n"},
	{"closed, and the last bytes were not seen", true, STEPS_OF(D(CHUNKED "a\r\n"), S(5000), F),
	 "< 200 1.1 @1\nfail lost head\n"},
	{"closed, and they were: the body is not complete", true,
	 STEPS_OF(D(CHUNKED "a\r\n"), S(5000), D("abc"), F), "< 200 1.1 @1\ninside\n"},
	{"closed inside a body of known length", true, STEPS_OF(D(LENGTH9 "abc"), F),
	 "< 200 1.1 @1\ninside\n"},
	{"a chunked upload, skipped", false,
	 STEPS_OF(D("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n"), S(4098),
		  D("0\r\n\r\n" REQUEST)),
	 "> PUT / 1.1 @1\nend 4109 @3\n> GET / 1.1 @3\nend 0 @3\n"},

	{"the server answers before the head has ended", false,
	 STEPS_OF(D("GET /slow HTTP/1.1\r\nHost: h\r\nUser-Agent: u"), C,
		  D("\r\nContent-Length: 2\r\n"), D("Cook"), D("ie: c\r\n\r\nab" REQUEST)),
	 "> GET /slow 1.1 host=h cut @1\nend 2 @5\n> GET / 1.1 @5\nend 0 @5\n"},
	{"... or before the request line has", false, STEPS_OF(D("GET /sl"), C, D("ow HTT")),
	 "> GET /sl 1.1 cut @1\ninside\n"},
	{"... or before there is even a method", false,
	 STEPS_OF(D("GE"), C, D("T / HTTP/1.1\r\n\r\n")), "> GET / 1.1 @1\nend 0 @3\n"},
	{"nothing to cut", false, STEPS_OF(C, D(REQUEST), C), "> GET / 1.1 @2\nend 0 @2\n"},
	{"only once", false, STEPS_OF(D("GET / HTTP/1.1\r\nA: b"), C, C),
	 "> GET / 1.1 cut @1\ninside\n"},
	{"a skip inside a head: it is over the limit, so the head is truncated", false,
	 STEPS_OF(D("GET / HTTP/1.1\r\nCookie: a"), S(4096), D(REQUEST)),
	 "> GET / 1.1 cut @1\nover the limit\nend 0 @2\n> GET / 1.1 @3\nend 0 @3\n"},
	{"... and ends where a write does", false,
	 STEPS_OF(D("GET / HTTP/1.1\r\nCookie: a"), S(4096), D("b\r\n\r\nc"), S(9),
		  D("d\r\nContent-Length: 2\r\n\r\n"), D("ab" REQUEST)),
	 "> GET / 1.1 cut @1\nover the limit\nend 2 @6\n> GET / 1.1 @6\nend 0 @6\n"},
	{"a response like that, of known length", true,
	 STEPS_OF(D("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a"), S(4096), D("b\r\n\r\n"),
		  D("ab" RESPONSE)),
	 "< 200 1.1 cut @1\nover the limit\nend 2 @4\n< 200 1.1 @4\nend 0 @4\n"},
	{"... with the body that it announces", true,
	 STEPS_OF(D("HTTP/1.1 200 OK\r\nX: a"), S(4096), D("b\r\nContent-Length: 2\r\n\r\nab"),
		  D(RESPONSE)),
	 "< 200 1.1 cut @1\nover the limit\nend 2 @3\n< 200 1.1 @4\nend 0 @4\n"},
	{"... in chunks", true,
	 STEPS_OF(D("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: a"), S(4096),
		  D("b\r\n\r\n1\r\na\r\n0\r\n\r\n"), D(RESPONSE)),
	 "< 200 1.1 cut @1\nover the limit\nend 11 @3\n< 200 1.1 @4\nend 0 @4\n"},
	{"... more data follows the apparent end: the message ends before the next one", true,
	 STEPS_OF(D("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a"), S(4096), D("b\r\n\r\nabc"),
		  D("d\r\n"), D(RESPONSE)),
	 "< 200 1.1 cut @1\nover the limit\nend 0 @4\n< 200 1.1 @5\nend 0 @5\n"},
	{"... of unknown length: it has ended before the next", true,
	 STEPS_OF(D("HTTP/1.1 200 OK\r\nX: a"), S(4096), D("b\r\n\r\n"), D(RESPONSE)),
	 "< 200 1.1 cut @1\nover the limit\nend 0 @3\n< 200 1.1 @4\nend 0 @4\n"},
	{"... whose end was missed: likewise", true,
	 STEPS_OF(D("HTTP/1.1 200 OK\r\nX: a"), S(4096), D(RESPONSE)),
	 "< 200 1.1 cut @1\nover the limit\nend 0 @2\n< 200 1.1 @3\nend 0 @3\n"},
	{"... or with its direction", true, STEPS_OF(D("HTTP/1.1 200 OK\r\nX: a"), S(4096), F),
	 "< 200 1.1 cut @1\nover the limit\nend 0 @2\n"},
	{"skipped before there is even a method", false, STEPS_OF(D("GE"), S(4096), D(REQUEST)),
	 "fail lost\n> GET / 1.1 @3\nend 0 @3\n"},
	{"lost behind the cut", false, STEPS_OF(D("GET / HTTP/1.1\r\nA: b"), C, L(1)),
	 "> GET / 1.1 cut @1\nfail lost head\n"},
};

static struct guard guard;

static void step(struct http1 *p, struct http1_trace *t, const struct step *s, uint64_t now)
{
	switch (s->what) {
	case DATA:
		http1_data(p, guard_put(&guard, (struct span){s->data, s->len}), now, &trace_sink,
			   t);
		break;
	case SKIP:
		http1_skip(p, s->len, now, &trace_sink, t);
		break;
	case LOST:
		http1_lost(p, s->len, now, &trace_sink, t);
		break;
	case FIN:
		http1_fin(p, now, &trace_sink, t);
		break;
	case CUT:
		(void)http1_truncate_head(p, &trace_sink, t); /* the trace tells */
		break;
	default:
		break;
	}
}

static void test_scripts(void **state)
{
	struct http1_trace t = {.wants_times = true};

	(void)state;
	text_init(&t.text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct http1 p;

		http1_init(&p, cases[i].is_response);
		text_clear(&t.text);
		t.open = 0;
		for (size_t j = 0; j < STEPS && cases[i].steps[j].what != END; j++)
			step(&p, &t, &cases[i].steps[j], j + 1);
		if (http1_is_inside(&p))
			text_add(&t.text, "inside\n");
		if (t.is_wrong || strcmp(t.text.ptr, cases[i].want) != 0)
			fail_msg("%s\ngot:\n%swant:\n%s", cases[i].why, t.text.ptr, cases[i].want);
		http1_release(&p);
	}
	text_release(&t.text);
}

/* A head of exactly `len` bytes that ends with the given fields. */
static char *long_head(const char *start, size_t len, const char *last)
{
	size_t fixed = strlen(start) + strlen(last) + 6;
	char *head = malloc(len + 1);

	assert_non_null(head);
	assert_true(fixed < len);
	(void)snprintf(head, len + 1, "%sX: %*s\r\n%s\r\n", start, (int)(len - fixed - 1), "x",
		       last);
	head[len] = '\0';
	return head;
}

static void expect_long(const char *why, const char *head, size_t segment, const char *want)
{
	struct http1_trace t = {0};
	struct http1 p = {0};
	size_t len = strlen(head);

	text_init(&t.text);
	for (size_t at = 0; at < len; at += segment) {
		struct span s = {head + at, segment < len - at ? segment : len - at};

		http1_data(&p, guard_put(&guard, s), 1, &trace_sink, &t);
	}
	http1_data(&p, span_of(REQUEST), 1, &trace_sink, &t);
	if (t.is_wrong || strcmp(t.text.ptr, want) != 0)
		fail_msg("%s, in segments of %zu\ngot:\n%swant:\n%s", why, segment, t.text.ptr,
			 want);
	text_release(&t.text);
	http1_release(&p);
}

static void test_limit(void **state)
{
	static const char get[] = "GET /x HTTP/1.1\r\nHost: h\r\n";
	static const size_t lengths[] = {1, 7, 1460, 16384, 100000};
	char *fits = long_head(get, HTTP1_HEAD_MAX, "");
	char *over = long_head(get, HTTP1_HEAD_MAX + 1, "");
	char *far = long_head(get, 70000, "User-Agent: u\r\nContent-Length: 18\r\n");
	char *both = long_head(get, HTTP1_HEAD_MAX + 20, "Content-Length: 18\r\n");
	char *line = long_head("", 40000, "");

	(void)state;
	memcpy(line, "GET /", 5);
	memset(line + 5, 'a', 39900);
	memcpy(line + 39900, " HTTP/1.1\r\nContent-Length: 18\r\n", 31);
	memset(line + 39931, 'b', 40000 - 39931 - 4);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char want[HTTP1_HEAD_MAX + 100];

		expect_long("a head of the limit", fits, lengths[i],
			    "> GET /x 1.1 host=h\nend 0\n> GET / 1.1\nend 0\n");
		expect_long("one byte more", over, lengths[i],
			    "> GET /x 1.1 host=h cut\nover the limit\nend 0\n> GET / 1.1\nend 0\n");
		expect_long("the length comes behind the limit", far, lengths[i],
			    "> GET /x 1.1 host=h cut\nover the limit\nend 18\n");
		expect_long("the length's line crosses the limit", both, lengths[i],
			    "> GET /x 1.1 host=h cut\nover the limit\nend 18\n");
		(void)snprintf(want, sizeof(want), "> GET /%.*s 1.1 cut\nover the limit\nend 18\n",
			       (int)(HTTP1_HEAD_MAX - 5), line + 5);
		expect_long("a target longer than the limit", line, lengths[i], want);
	}
	free(fits);
	free(over);
	free(far);
	free(both);
	free(line);
}

/* The owner may begin a tunnel in the callback of a head, buffered or not. */
static void test_tunnel_inside_head(void **state)
{
	static const char *const segments[][2] = {{REQUEST REQUEST, ""},
						  {"GET / HTTP/1.1\r\n", "\r\n"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct http1 p = {0};
		struct http1_trace t = {.tunnel = &p};

		text_init(&t.text);
		http1_data(&p, span_of(segments[i][0]), 1, &trace_sink, &t);
		http1_data(&p, span_of(segments[i][1]), 1, &trace_sink, &t);
		http1_data(&p, span_of(REQUEST), 1, &trace_sink, &t);
		http1_skip(&p, 5, 1, &trace_sink, &t);
		http1_lost(&p, 5, 1, &trace_sink, &t);
		http1_fin(&p, 1, &trace_sink, &t);
		assert_string_equal(t.text.ptr, "> GET / 1.1\n");
		assert_false(http1_is_inside(&p));
		text_release(&t.text);
		http1_release(&p);
	}
}

static const struct {
	const char *why;
	const char *bytes;
	bool is_request;
	bool is_response;
} starts[] = {
	{"too short to say no", "", true, true},
	{"too short to say no", "H", true, true},
	{"'/' is in no method", "HTTP/", false, true},
	{"a method", "GET", true, false},
	{"a method and a space", "HEAD /", true, false},
	{"a request line", "GET / HTTP/1.1\r\n", true, false},
	{"a line that is none", "GET /\r\n", false, false},
	{"a status line", "HTTP/1.1 200 OK\r\n", false, true},
	{"its beginning", "HTTP/1.1 20", false, true},
	{"a status that is none", "HTTP/1.1 20x", false, false},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n", false, false},
	{"text", "<html>", false, false},
	{"an empty line", "\r\n", false, false},
};

static void test_starts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct span s = guard_put(&guard, span_of(starts[i].bytes));

		if (http1_is_request(s) != starts[i].is_request ||
		    http1_is_response(s) != starts[i].is_response)
			fail_msg("%s: '%s'", starts[i].why, starts[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_tunnel_inside_head),
		cmocka_unit_test(test_starts),
	};

	return cmocka_run_group_tests_name("http1 gaps", tests, NULL, NULL);
}
