/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route templates that change while connections are open: each request that begins afterwards has
 * the route of the new ones, on HTTP/1 and HTTP/2, whatever the parsers remember of its head.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "http2_script.h"

/* A block that is encoded the third time has all its fields in the table: it is remembered. */
#define ASK(n) "c H" #n "e :method=GET :scheme=http :path=/orders/new\ns H" #n "e :status=200\n"
#define RPC(n)                                                                                     \
	"c H" #n " :method=POST :path=/orders/new content-type=application/grpc\n"                 \
	"c M" #n "e 1\ns H" #n " :status=200 content-type=application/grpc\n"                      \
	"s H" #n "e grpc-status=0\n"
#define GET_OWN	  "GET /orders/new 200 0/0\n"
#define GET_NEWER "GET /orders/{what} 200 0/0\n"

static const char http1_request[] = "GET /orders/new HTTP/1.1\r\nHost: a\r\n\r\n";
static const char http1_response[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static void set_routes(struct script *s, const char *templates)
{
	assert_null(engine_set_routes(s->wire.engine, templates));
}

static void expect(struct script *s, const char *want)
{
	assert_string_equal(s->log.ptr, want);
	text_clear(&s->log);
}

static void test_http2(void **state)
{
	(void)state;
	for (int wants_target = 0; wants_target < 2; wants_target++) {
		struct script s = {.has_flags = true};

		script_begin(&s, 1, wants_target);
		script_run(&s, "open server\nc P | S\ns S\n" ASK(1) ASK(3) ASK(5) ASK(7));
		expect(&s, GET_OWN GET_OWN GET_OWN GET_OWN);
		set_routes(&s, "/orders/{what}");
		script_run(&s, ASK(9) ASK(11) ASK(13));
		expect(&s, GET_NEWER GET_NEWER GET_NEWER);
		set_routes(&s, "");
		script_run(&s, ASK(15) ASK(17));
		expect(&s, GET_OWN GET_OWN);
		script_finish(&s);
	}
}

/* A request keeps the route that it began with. */
static void test_http2_open(void **state)
{
	struct script s = {.has_flags = true};

	(void)state;
	script_begin(&s, 1, false);
	script_run(&s, "open server\nc P | S\ns S\n" ASK(1) ASK(3)
			       ASK(5) "c H7e :method=GET :scheme=http :path=/orders/new\n");
	text_clear(&s.log);
	set_routes(&s, "/orders/{what}");
	script_run(&s, "c H9e :method=GET :scheme=http :path=/orders/new\n"
		       "s H7e :status=200\ns H9e :status=200\n");
	expect(&s, GET_OWN GET_NEWER);
	script_finish(&s);
}

/* Templates are for paths of HTTP: methods of gRPC stay as they are. */
static void test_grpc(void **state)
{
	struct script s = {.has_flags = true};

	(void)state;
	script_begin(&s, 1, false);
	script_run(&s, "open server\nc P | S\ns S\n" RPC(1) RPC(3) RPC(5));
	set_routes(&s, "/orders/{what}");
	script_run(&s, RPC(7) RPC(9));
	expect(&s, "rpc orders/new OK 1/0\nrpc orders/new OK 1/0\nrpc orders/new OK 1/0\n"
		   "rpc orders/new OK 1/0\nrpc orders/new OK 1/0\n");
	script_finish(&s);
}

static void ask_http1(struct script *s, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		wire_data(&s->wire, DIR_INGRESS, http1_request);
		wire_data(&s->wire, DIR_EGRESS, http1_response);
	}
}

static void test_http1(void **state)
{
	(void)state;
	for (int wants_target = 0; wants_target < 2; wants_target++) {
		struct script s = {0};

		script_begin(&s, 1, wants_target);
		wire_open(&s.wire, ROLE_SERVER);
		ask_http1(&s, 3);
		expect(&s, GET_OWN GET_OWN GET_OWN);
		set_routes(&s, "/orders/{what}");
		ask_http1(&s, 3);
		expect(&s, GET_NEWER GET_NEWER GET_NEWER);
		set_routes(&s, NULL);
		ask_http1(&s, 1);
		expect(&s, GET_OWN);
		script_finish(&s);
	}
}

/* Templates that are refused change nothing. */
static void test_refused(void **state)
{
	struct script s = {.has_flags = true};

	(void)state;
	script_begin(&s, 1, false);
	set_routes(&s, "/orders/{what}");
	script_run(&s, "open server\nc P | S\ns S\n" ASK(1) ASK(3) ASK(5));
	assert_non_null(engine_set_routes(s.wire.engine, "/orders/new,no slash"));
	script_run(&s, ASK(7));
	expect(&s, GET_NEWER GET_NEWER GET_NEWER GET_NEWER);
	script_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http2),	cmocka_unit_test(test_http2_open),
		cmocka_unit_test(test_grpc),	cmocka_unit_test(test_http1),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("engine_routes", tests, NULL, NULL);
}
