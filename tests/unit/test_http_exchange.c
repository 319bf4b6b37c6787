/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP on one connection of the webhook: bytes in, statuses out. Every input is given whole and
 * byte by byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "webhook/budget.h"
#include "webhook/http_exchange.h"

#define BYTES(s)                                                                                   \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
#define BODY_MAX (256u << 10)
#define POST	 "POST /a HTTP/1.1\r\nHost: x\r\n"

/* The answer repeats the request: METHOD PATH BODY. */
static void repeat(void *ctx, const struct http_request *r, struct http_answer *a)
{
	(void)ctx;
	if (a->status)
		return;
	a->status = 200;
	text_addf(&a->body, "%s %s %.*s", r->method, r->path, SPAN_ARG(r->body));
}

static unsigned refuse(void *ctx, const struct http_request *r)
{
	(void)ctx;
	return strcmp(r->path, "/none") == 0 ? 404 : 0;
}

static const struct http_options options = {
	.share = BUDGET_REQUESTS, .body_max = BODY_MAX, .refuse = refuse, .answer = repeat};

/* Of each answer the status and the body, and how it ends, in one line. */
static void log_answers(struct http_exchange *e, struct text *out)
{
	struct span all = http_exchange_out(e);
	char *rest = strndup(all.ptr, all.len);
	char *at = rest;

	assert_non_null(rest);
	while (*at) {
		char *body = strstr(at, "\r\n\r\n");
		char *field = strstr(at, "Content-Length: ");
		size_t len = field && field < body ? strtoul(field + 16, NULL, 10) : 0;

		assert_non_null(body);
		body += 4;
		if (strlen(body) < len)
			len = strlen(body); /* an answer to HEAD */
		text_addf(out, "%.3s[%.*s]", at + 9, (int)len, body);
		at = body + len;
	}
	free(rest);
	http_exchange_sent(e, all.len);
}

static void converse(struct span input, size_t step, struct text *out)
{
	struct http_exchange e;

	text_clear(out);
	http_exchange_init(&e, &options);
	for (size_t at = 0; at < input.len; at += step) {
		size_t n = input.len - at < step ? input.len - at : step;
		bool has_more = true;

		assert_int_equal(http_exchange_add(&e, (struct span){input.ptr + at, n}), 0);
		while (has_more) {
			has_more = http_exchange_run(&e, true);
			log_answers(&e, out);
		}
	}
	if (e.state == HTTP_CLOSED)
		text_add(out, " closed");
	else if (http_exchange_is_open(&e) || e.in.len > 0)
		text_add(out, " open");
	http_exchange_release(&e);
	assert_int_equal(budget_used(BUDGET_REQUESTS), 0);
}

static const struct {
	const char *why;
	struct span input;
	const char *want;
} rows[] = {
	{"a request", BYTES(POST "Content-Length: 2\r\n\r\nhi"), "200[POST /a hi]"},
	{"without a body", BYTES("GET /b?c HTTP/1.1\r\nHost: x\r\n\r\n"), "200[GET /b ]"},
	{"the answer to HEAD has no body", BYTES("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"), "200[]"},
	{"pipelined",
	 BYTES(POST "Content-Length: 1\r\n\r\n1" POST "\r\n" POST "Content-Length: 1\r\n\r\n3"),
	 "200[POST /a 1]200[POST /a ]200[POST /a 3]"},
	{"chunked", BYTES(POST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"),
	 "200[POST /a hi!]"},
	{"chunked, and one behind it",
	 BYTES(POST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n" POST "\r\n"),
	 "200[POST /a hi]200[POST /a ]"},
	{"the client closes", BYTES(POST "Connection: close\r\n\r\n" POST "\r\n"),
	 "200[POST /a ] closed"},
	{"HTTP/1.0 closes", BYTES("GET / HTTP/1.0\r\n\r\n"), "200[GET / ] closed"},
	{"HTTP/1.0 kept", BYTES("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "200[GET / ]"},
	{"half a body", BYTES(POST "Content-Length: 3\r\n\r\nhi"), " open"},
	{"it gets 100 (Continue)", BYTES(POST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"),
	 "100[] open"},
	{"smuggled: both lengths, and what would be a second request",
	 BYTES(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b "
		    "HTTP/1.1\r\nHost: x\r\n\r\n"),
	 "400[] closed"},
	{"nothing behind a bad head is read", BYTES("GET / HTTP/1.1\n\n" POST "\r\n"),
	 "400[] closed"},
	{"a bad chunk", BYTES(POST "Transfer-Encoding: chunked\r\n\r\n5\nhello"), "400[] closed"},
	{"refused by its head", BYTES("GET /none HTTP/1.1\r\nHost: x\r\n\r\n" POST "\r\n"),
	 "404[] closed"},
	{"too long, as it says", BYTES(POST "Content-Length: 262145\r\n\r\n"), "413[] closed"},
};

static void test_rows(void **state)
{
	struct text whole;
	struct text bytewise;

	(void)state;
	text_init(&whole);
	text_init(&bytewise);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		converse(rows[i].input, rows[i].input.len, &whole);
		converse(rows[i].input, 1, &bytewise);
		if (strcmp(whole.ptr, rows[i].want) != 0 || strcmp(bytewise.ptr, rows[i].want) != 0)
			fail_msg("%s: \"%s\" whole, \"%s\" bytewise", rows[i].why, whole.ptr,
				 bytewise.ptr);
	}
	text_release(&whole);
	text_release(&bytewise);
}

static void add_body(struct http_exchange *e, size_t n)
{
	static const char blanks[4096];

	for (; n > 0; n -= n < sizeof(blanks) ? n : sizeof(blanks))
		assert_int_equal(
			http_exchange_add(
				e, (struct span){blanks, n < sizeof(blanks) ? n : sizeof(blanks)}),
			0);
}

static void test_large_ones_wait(void **state)
{
	struct http_exchange e;

	(void)state;
	http_exchange_init(&e, &options);
	assert_int_equal(http_exchange_add(&e, span_of(POST "Content-Length: 100000\r\n\r\n")), 0);
	assert_false(http_exchange_run(&e, false));
	add_body(&e, 100000);
	assert_false(http_exchange_run(&e, false));
	assert_int_equal(e.state, HTTP_WAITING);
	assert_int_equal(http_exchange_out(&e).len, 0);
	assert_false(http_exchange_run(&e, true));
	assert_int_equal(e.state, HTTP_READING);
	assert_int_equal(e.answers, 1);
	http_exchange_release(&e);
}

/* 3 MiB that are only announced cost nothing, and what has come not twice its size. */
static void test_memory_of_a_body(void **state)
{
	struct http_exchange e;

	(void)state;
	http_exchange_init(&e, &options);
	assert_int_equal(http_exchange_add(&e, span_of(POST "Content-Length: 262144\r\n\r\n")), 0);
	(void)http_exchange_run(&e, false);
	assert_in_range(budget_used(BUDGET_REQUESTS), 1, 4096);
	add_body(&e, 262143);
	(void)http_exchange_run(&e, false);
	assert_in_range(budget_used(BUDGET_REQUESTS), 262143, 262143 * 4 / 3);
	http_exchange_refuse(&e, 503);
	assert_in_range(budget_used(BUDGET_REQUESTS), 1, 4096);
	assert_int_equal(e.state, HTTP_CLOSED);
	http_exchange_release(&e);
	assert_int_equal(budget_used(BUDGET_REQUESTS), 0);
}

static void test_budget(void **state)
{
	uint64_t refused = budget_refused(BUDGET_REQUESTS);
	struct http_exchange e;
	size_t other = 0;

	(void)state;
	assert_true(budget_hold(BUDGET_REQUESTS, &other, BUDGET_REQUESTS_BYTES));
	http_exchange_init(&e, &options);
	assert_int_equal(http_exchange_add(&e, span_of(POST "\r\n")), -ENOMEM);
	assert_int_equal(budget_refused(BUDGET_REQUESTS), refused + 1);
	assert_true(budget_hold(BUDGET_REQUESTS, &other, BUDGET_REQUESTS_BYTES - 8192));
	assert_int_equal(http_exchange_add(&e, span_of(POST "\r\n")), 0);
	assert_false(http_exchange_run(&e, false));
	assert_int_equal(e.answers, 1);
	http_exchange_release(&e);
	assert_true(budget_hold(BUDGET_REQUESTS, &other, 0));
	assert_int_equal(budget_used(BUDGET_REQUESTS), 0);
}

static void test_draining(void **state)
{
	struct http_exchange e;

	(void)state;
	http_exchange_init(&e, &options);
	e.is_draining = true;
	assert_int_equal(http_exchange_add(&e, span_of(POST "\r\n" POST "\r\n")), 0);
	assert_false(http_exchange_run(&e, false));
	assert_int_equal(e.state, HTTP_CLOSED);
	assert_non_null(strstr(http_exchange_out(&e).ptr, "\r\nConnection: close\r\n"));
	http_exchange_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_large_ones_wait),
		cmocka_unit_test(test_memory_of_a_body),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_draining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
