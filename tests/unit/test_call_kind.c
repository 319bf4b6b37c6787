/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC or plain HTTP, by the content type where it is known, else by the rules of gRPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "txn/call_kind.h"
#include "txn/transaction.h"

#define HIDDEN .unknown = 1

static const char message[] = "\0\0\0\0\3abc";
static const char zeros[64];

struct row {
	const char *why;
	const char *method;
	struct http2_head request;
	struct http2_head response;
	struct span request_body;
	struct span response_body;
	bool is_end; /* the request ends with its head */
	bool has_trailers;
	bool others_are_grpc;
	enum call_kind want;
};

static const struct row rows[] = {
	{"content types say it", "POST", {.content = HTTP2_CONTENT_GRPC}, .want = CALL_GRPC},
	{"of HTTP too, whatever its body is",
	 "POST",
	 {.content = HTTP2_CONTENT_OTHER},
	 .response_body = {message, 8},
	 .has_trailers = true,
	 .want = CALL_HTTP},
	{"nothing is hidden, and there is none",
	 "POST",
	 {0},
	 .response_body = {message, 8},
	 .has_trailers = true,
	 .want = CALL_HTTP},
	{"the response says it",
	 "POST",
	 {HIDDEN},
	 {.content = HTTP2_CONTENT_GRPC},
	 .want = CALL_GRPC},
	{"messages",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {message, 8},
	 .has_trailers = true,
	 .want = CALL_GRPC},
	{"messages of a method that is hidden",
	 txn_unknown,
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {message, 8},
	 .has_trailers = true,
	 .want = CALL_GRPC},
	{"messages of the request",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .request_body = {message, 8},
	 .has_trailers = true,
	 .want = CALL_GRPC},
	{"one empty message",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {zeros, 5},
	 .has_trailers = true,
	 .want = CALL_GRPC},
	{"zeros",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .request_body = {zeros, 60},
	 .has_trailers = true,
	 .want = CALL_HTTP},
	{"no messages",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {"{\"a\":1}", 7},
	 .has_trailers = true,
	 .others_are_grpc = true,
	 .want = CALL_HTTP},
	{"no bytes", "POST", {HIDDEN}, {HIDDEN}, .has_trailers = true, .want = CALL_HTTP},
	{"no bytes, among calls of gRPC",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .has_trailers = true,
	 .others_are_grpc = true,
	 .want = CALL_GRPC},
	{"gRPC has no GET",
	 "GET",
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {message, 8},
	 .has_trailers = true,
	 .others_are_grpc = true,
	 .want = CALL_HTTP},
	{"nor requests that end with their head",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {message, 8},
	 .is_end = true,
	 .has_trailers = true,
	 .others_are_grpc = true,
	 .want = CALL_HTTP},
	{"nor responses without trailers",
	 "POST",
	 {HIDDEN},
	 {HIDDEN},
	 .response_body = {message, 8},
	 .others_are_grpc = true,
	 .want = CALL_HTTP},
};

static enum call_kind kind_of(const struct row *r)
{
	struct call_kinds kinds = {.have_grpc = r->others_are_grpc};
	struct call call = {.known_method = r->method};

	call_kind_head(&call, &kinds, &r->request);
	call_kind_request(&call, &kinds, r->is_end);
	if (call.kind == CALL_UNSURE)
		call_kind_head(&call, &kinds, &r->response);
	grpc_messages_data(&call.messages[0], r->request_body);
	grpc_messages_data(&call.messages[1], r->response_body);
	if (!r->has_trailers)
		call_kind_no_trailers(&call, &kinds);
	call_kind_end(&call, &kinds);
	return (enum call_kind)call.kind;
}

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (kind_of(&rows[i]) != rows[i].want)
			fail_msg("%s", rows[i].why);
}

/* A connection on which HTTP was seen is no longer one of gRPC alone. */
static void test_others(void **state)
{
	struct call_kinds kinds = {.have_grpc = true};
	struct call get = {.known_method = "GET"};
	struct call post = {.known_method = "POST"};

	(void)state;
	call_kind_request(&get, &kinds, true);
	call_kind_request(&post, &kinds, false);
	assert_int_equal(post.kind, CALL_UNSURE);
	call_kind_end(&post, &kinds);
	assert_int_equal(post.kind, CALL_HTTP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests_name("call_kind", tests, NULL, NULL);
}
