/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of requests: every input is read whole, and byte by byte, in memory that ends at a
 * guard page, and must give the same outcome.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "guard.h"
#include "webhook/request_head.h"

#define BYTES(s)                                                                                   \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
#define START "POST /mutate-pod HTTP/1.1\r\nHost: x\r\n"

enum { MORE = 0, GOOD = 200 };

struct test_case {
	const char *why;
	struct span input;
	unsigned want; /* GOOD, MORE or the status of the refusal */
};

static const struct test_case rows[] = {
	{"what an API server sends",
	 BYTES("POST /mutate-pod?timeout=3s HTTP/1.1\r\nHost: sidelight-webhook.s.svc:443\r\n"
	       "User-Agent: kube-apiserver\r\nContent-Length: 12\r\n"
	       "Accept: application/json, */*\r\nContent-Type: application/json\r\n"
	       "Accept-Encoding: gzip\r\n\r\n"),
	 GOOD},
	{"a probe of HTTP/1.0 needs no Host", BYTES("GET /healthz HTTP/1.0\r\n\r\n"), GOOD},
	{"an empty Host is one", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), GOOD},
	{"an IPv6 address with a port", BYTES("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), GOOD},
	{"one empty line before a request", BYTES("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), GOOD},
	{"absolute-form", BYTES("GET http://x:1/a HTTP/1.1\r\nHost: x:1\r\n\r\n"), GOOD},
	{"obs-text in a value", BYTES(START "X-A: \xe4\xff\tb\r\n\r\n"), GOOD},
	{"chunked, in other letters", BYTES(START "Transfer-Encoding: Chunked\r\n\r\n"), GOOD},
	{"HTTP/1.2 is read as 1.1", BYTES("GET / HTTP/1.2\r\nHost: x\r\n\r\n"), GOOD},

	{"a head without its end", BYTES(START "X-A: b\r\n"), MORE},
	{"nothing", BYTES(""), MORE},

	{"LF alone behind the request line", BYTES("GET / HTTP/1.1\nHost: x\r\n\r\n"), 400},
	{"LF alone behind a field", BYTES(START "X-A: b\n\r\n"), 400},
	{"LF alone as the last line", BYTES(START "X-A: b\r\n\n"), 400},
	{"LF alone before a request", BYTES("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"two empty lines before a request", BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), 400},
	{"CR inside a value", BYTES(START "X-A: b\rc\r\n\r\n"), 400},
	{"two CR at the end of a line", BYTES(START "X-A: b\r\r\n\r\n"), 400},
	{"a folded field (obs-fold)", BYTES(START "X-A: b\r\n c\r\n\r\n"), 400},
	{"a folded field, with a tab", BYTES(START "X-A: b\r\n\tc\r\n\r\n"), 400},
	{"a blank before the first field", BYTES("GET / HTTP/1.1\r\n Host: x\r\n\r\n"), 400},
	{"a blank before the colon", BYTES("GET / HTTP/1.1\r\nHost : x\r\n\r\n"), 400},
	{"a field without a colon", BYTES(START "X-A\r\n\r\n"), 400},
	{"a field without a name", BYTES(START ": b\r\n\r\n"), 400},
	{"no Host", BYTES("GET / HTTP/1.1\r\nX-A: b\r\n\r\n"), 400},
	{"no Host, nor anything else", BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
	{"two Hosts", BYTES(START "Host: x\r\n\r\n"), 400},
	{"two Hosts of HTTP/1.0", BYTES("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n"), 400},
	{"a list as Host", BYTES("GET / HTTP/1.1\r\nHost: x, y\r\n\r\n"), 400},
	{"a path as Host", BYTES("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"), 400},
	{"NUL in the method", BYTES("GE\0T / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"NUL in the target", BYTES("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"NUL in a name", BYTES(START "X\0A: b\r\n\r\n"), 400},
	{"NUL in a value", BYTES(START "X-A: \0b\r\n\r\n"), 400},
	{"a control character in a value", BYTES(START "X-A: \x1b[2J\r\n\r\n"), 400},
	{"DEL in the target", BYTES("GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"not ASCII in the target", BYTES("GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"two blanks before the target", BYTES("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"two blanks behind the target", BYTES("GET /  HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"a tab for a blank", BYTES("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"HTTP/0.9", BYTES("GET /\r\n"), 400},
	{"no target", BYTES("GET HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"a target that is no path", BYTES("GET a HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"asterisk-form", BYTES("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"authority-form", BYTES("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"absolute-form without a path", BYTES("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"a method that is no token", BYTES("G(T / HTTP/1.1\r\nHost: x\r\n\r\n"), 400},
	{"a lower-case protocol", BYTES("GET / http/1.1\r\nHost: x\r\n\r\n"), 400},
	{"a long minor version", BYTES("GET / HTTP/1.11\r\nHost: x\r\n\r\n"), 400},
	{"HTTP/2 with prior knowledge", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400},
	{"HTTP/2", BYTES("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), 505},
	{"TLS", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"), 400},

	{"Content-Length with Transfer-Encoding (RFC 9112 section 6.1)",
	 BYTES(START "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"in the other order",
	 BYTES(START "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400},
	{"Content-Length twice", BYTES(START "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
	 400},
	{"a list as Content-Length", BYTES(START "Content-Length: 5, 5\r\n\r\n"), 400},
	{"a sign", BYTES(START "Content-Length: +5\r\n\r\n"), 400},
	{"a negative length", BYTES(START "Content-Length: -1\r\n\r\n"), 400},
	{"no length", BYTES(START "Content-Length:\r\n\r\n"), 400},
	{"a hexadecimal length", BYTES(START "Content-Length: 0x5\r\n\r\n"), 400},
	{"a length beyond 64 bits", BYTES(START "Content-Length: 18446744073709551621\r\n\r\n"),
	 400},
	{"Transfer-Encoding in HTTP/1.0",
	 BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"Transfer-Encoding twice",
	 BYTES(START "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"another transfer coding", BYTES(START "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501},
	{"none by name", BYTES(START "Transfer-Encoding: identity\r\n\r\n"), 501},
	{"chunked behind a vertical tab", BYTES(START "Transfer-Encoding: \vchunked\r\n\r\n"), 400},
	{"two types", BYTES(START "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n"), 400},
	{"another expectation", BYTES(START "Expect: 200-ok\r\n\r\n"), 417},
};

/* The outcome, and where the head ended. */
static unsigned read_whole(struct span input, int *ret_len)
{
	struct request_head h = {0};

	*ret_len = request_head_read(&h, input);
	return *ret_len < 0 ? h.status : *ret_len > 0 ? GOOD : MORE;
}

static unsigned read_bytewise(struct span input, int *ret_len)
{
	static struct guard guard;
	struct request_head h = {0};

	*ret_len = 0;
	for (size_t n = 0; n <= input.len && *ret_len == 0; n++)
		*ret_len = request_head_read(&h, guard_put(&guard, (struct span){input.ptr, n}));
	return *ret_len < 0 ? h.status : *ret_len > 0 ? GOOD : MORE;
}

static void test_outcomes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int whole_len;
		int bytewise_len;
		unsigned whole = read_whole(rows[i].input, &whole_len);
		unsigned bytewise = read_bytewise(rows[i].input, &bytewise_len);

		if (whole != rows[i].want || bytewise != rows[i].want)
			fail_msg("%s: %u whole, %u bytewise, wanted %u", rows[i].why, whole,
				 bytewise, rows[i].want);
		if (whole == GOOD &&
		    (whole_len != (int)rows[i].input.len || bytewise_len != whole_len))
			fail_msg("%s: ends at %d", rows[i].why, whole_len);
	}
}

static bool is_part(struct span input, struct request_part part, const char *want)
{
	return span_is((struct span){input.ptr + part.at, part.len}, want);
}

static void test_values(void **state)
{
	struct span input = rows[0].input;
	struct request_head h = {0};

	(void)state;
	assert_true(request_head_read(&h, input) > 0);
	assert_true(is_part(input, h.method, "POST"));
	assert_true(is_part(input, h.path, "/mutate-pod"));
	assert_true(is_part(input, h.content_type, "application/json"));
	assert_int_equal(h.content_length, 12);
	assert_int_equal(h.minor, 1);
	assert_true(request_head_keeps(&h));
	assert_false(h.is_chunked || h.expects_continue);

	h = (struct request_head){0};
	input = span_of("GET http://u@h:1/a/b?c HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(request_head_read(&h, input) > 0);
	assert_true(is_part(input, h.path, "/a/b"));
}

static void test_keeps(void **state)
{
	static const struct {
		const char *why;
		const char *head;
		bool want;
	} kept[] = {
		{"HTTP/1.1", START "\r\n", true},
		{"closed", START "Connection: close\r\n\r\n", false},
		{"in a list, in other letters", START "Connection: x ,\tCLOSE\r\n\r\n", false},
		{"close wins", START "Connection: keep-alive, close\r\n\r\n", false},
		{"a word that starts so", START "Connection: closed\r\n\r\n", true},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", false},
		{"HTTP/1.0, kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct request_head h = {0};

		if (request_head_read(&h, span_of(kept[i].head)) <= 0 ||
		    request_head_keeps(&h) != kept[i].want)
			fail_msg("%s", kept[i].why);
	}
}

static void test_sizes(void **state)
{
	struct text t;
	int len;

	(void)state;
	text_init(&t);
	text_add(&t, START "X-A: ");
	while (t.len < REQUEST_HEAD_BYTES_MAX - 4)
		text_add_char(&t, 'a');
	text_add(&t, "\r\n\r\n");
	assert_int_equal(read_whole((struct span){t.ptr, REQUEST_HEAD_BYTES_MAX - 4}, &len), MORE);
	assert_int_equal(read_whole((struct span){t.ptr, REQUEST_HEAD_BYTES_MAX}, &len), GOOD);
	memset(t.ptr + REQUEST_HEAD_BYTES_MAX - 4, 'a', 4); /* now it ends nowhere */
	assert_int_equal(read_whole((struct span){t.ptr, REQUEST_HEAD_BYTES_MAX}, &len), 431);
	text_clear(&t);
	text_add(&t, START);
	for (int i = 0; i < REQUEST_FIELDS_MAX - 1; i++)
		text_add(&t, "a:\r\n");
	assert_int_equal(read_whole(text_span(&t), &len), MORE);
	text_add(&t, "a:\r\n");
	assert_int_equal(read_whole(text_span(&t), &len), 431);
	text_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
