/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC or other HTTP, by the content type if it is known, else by the rules of gRPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "txn/call_kind.h"
#include "txn/transaction.h"

static const char message[] = "\0\0\0\0\3abc";
static const char zeros[64];

/* What a head says of the content. Nothing is said by one that hides it, or by one without. */
enum said { HIDDEN, NOTHING, GRPC, OTHER };

/* A POST, if it is not said, with trailers behind the response's body. */
struct row {
	const char *why;
	enum call_kind want;
	const char *method;
	enum said request;
	enum said response;
	struct span request_body;
	struct span response_body;
	bool ends_at_once; /* the request, with its head */
	bool has_no_trailers;
	bool has_status; /* grpc-status, in the trailers */
	bool others_are_grpc;
};

static const struct row rows[] = {
	{"content types say it", CALL_GRPC, .request = GRPC},
	{"of HTTP too, whatever its body is", CALL_HTTP, .request = OTHER,
	 .response_body = {message, 8}},
	{"nothing is hidden, and there is none", CALL_HTTP, .request = NOTHING,
	 .response_body = {message, 8}},
	{"the response says it", CALL_GRPC, .response = GRPC},
	{"the response says what it is not", CALL_HTTP, .response = OTHER,
	 .response_body = {message, 8}},
	{"a server that answers with gRPC, whatever was asked", CALL_GRPC, .request = OTHER,
	 .response = GRPC},
	{"a status of gRPC", CALL_GRPC, .response_body = {"{\"a\":1}", 7}, .has_status = true},
	{"a field of that name in HTTP", CALL_HTTP, .request = OTHER, .has_status = true},
	{"messages", CALL_GRPC, .response_body = {message, 8}},
	{"messages of a hidden method", CALL_GRPC, .method = txn_unknown,
	 .response_body = {message, 8}},
	{"messages of the request", CALL_GRPC, .request_body = {message, 8}},
	{"one empty message", CALL_GRPC, .response_body = {zeros, 5}},
	{"zeros", CALL_HTTP, .request_body = {zeros, 60}},
	{"no messages", CALL_HTTP, .response_body = {"{\"a\":1}", 7}, .others_are_grpc = true},
	{"no bytes", CALL_HTTP, .method = "POST"},
	{"no bytes, among calls of gRPC", CALL_GRPC, .others_are_grpc = true},
	{"gRPC has no GET", CALL_HTTP, .method = "GET", .response_body = {message, 8},
	 .others_are_grpc = true},
	{"nor requests that end with their head", CALL_HTTP, .response_body = {message, 8},
	 .ends_at_once = true, .others_are_grpc = true},
	{"nor responses without trailers", CALL_HTTP, .response_body = {message, 8},
	 .has_no_trailers = true, .others_are_grpc = true},
};

static struct http2_head head_of(enum said said)
{
	return (struct http2_head){
		.unknown = said == HIDDEN,
		.content = said == GRPC	   ? HTTP2_CONTENT_GRPC
			   : said == OTHER ? HTTP2_CONTENT_OTHER
					   : HTTP2_CONTENT_NONE,
		.grpc_status = GRPC_STATUS_NONE,
	};
}

static enum call_kind kind_of(const struct row *r)
{
	struct call_kinds kinds = {.have_grpc = r->others_are_grpc};
	struct call call = {.known_method = r->method ? r->method : "POST"};
	struct http2_head request = head_of(r->request);
	struct http2_head response = head_of(r->response);
	struct http2_head trailers = head_of(HIDDEN);

	call_kind_head(&call, &kinds, &request);
	call_kind_request(&call, &kinds, r->ends_at_once);
	grpc_messages_data(&call.messages[0], r->request_body);
	call_kind_response(&call, &kinds, &response);
	call.has_response = true;
	grpc_messages_data(&call.messages[1], r->response_body);
	if (r->has_status)
		trailers.grpc_status = 0;
	if (r->has_no_trailers)
		call_kind_no_trailers(&call, &kinds);
	else
		call_kind_response(&call, &kinds, &trailers);
	call_kind_end(&call, &kinds);
	assert_true(kinds.have_grpc || call.kind == CALL_HTTP);
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
