/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace contexts of transactions: each request has its own, through the caches of heads and of
 * header blocks, pipelined or not, and on connections that change from HTTP/1 to HTTP/2; without a
 * sink that needs them there are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http2_script.h"

#define ID   "0af7651916cd43dd8448eb211c80319c"
#define A    "b7ad6b7169203331"
#define B    "00f067aa0ba902b7"
#define C(s) "00-" ID "-" s "-01"

/* Path or method of gRPC, and the span; a plus: it is sampled. */
static void log_trace(void *ctx, const struct transaction *t)
{
	struct text *out = ctx;

	text_add(out, t->route);
	if (t->trace) {
		assert_int_equal(t->trace->trace_id[0], 0x0a);
		text_add_char(out, ' ');
		text_add_hex(out, t->trace->span_id, sizeof(t->trace->span_id));
		text_add(out, t->trace->is_sampled ? "+" : "");
	}
	text_add_char(out, '\n');
}

static const struct txn_sink tracing = {.needs = TXN_NEED_TRACE, .done = log_trace};
static const struct txn_sink plain = {.done = log_trace};

#define GET(path, fields) "GET " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define PARENT(s)	  "traceparent: " C(s) "\r\n"
#define OK		  "HTTP/1.1 204 No Content\r\n\r\n"

static void run_http1(const char *const *requests, bool is_pipelined, const struct txn_sink *sink,
		      const char *want)
{
	const struct engine_options options = {.conn_cap = 10, .route_cap = 100};
	uint64_t now_ns = 0;
	const char *error;
	struct engine *e = engine_new(&options, &error);
	struct wire w = wire_new(e, &now_ns, 1);
	struct text log;

	text_init(&log);
	assert_int_equal(engine_add_sink(e, sink, &log), 0);
	wire_open(&w, ROLE_SERVER);
	for (size_t i = 0; requests[i]; i++) {
		wire_data(&w, DIR_INGRESS, requests[i]);
		if (!is_pipelined)
			wire_data(&w, DIR_EGRESS, OK);
	}
	for (size_t i = 0; is_pipelined && requests[i]; i++)
		wire_data(&w, DIR_EGRESS, OK);
	assert_string_equal(log.ptr, want);
	engine_free(e);
	text_release(&log);
}

static void test_http1(void **state)
{
	static const char *const requests[] = {GET("/a", PARENT(A)),
					       GET("/a", PARENT(A)),
					       GET("/a", ""),
					       GET("/a", PARENT(B)),
					       GET("/a", ""),
					       GET("/a", PARENT("x")),
					       GET("/a", "b3: " ID "-" A "\r\n"),
					       NULL};
	static const char want[] = "/a " A "+\n/a " A "+\n/a\n/a " B "+\n/a\n/a\n/a " A "\n";

	(void)state;
	run_http1(requests, false, &tracing, want);
	run_http1(requests, true, &tracing, want);
	run_http1(requests, false, &plain, "/a\n/a\n/a\n/a\n/a\n/a\n/a\n");
	/* Heads that were cached without need. */
	run_http1(requests, false, &tracing, want);
}

static void run_http2(const char *lines, const struct txn_sink *sink, const char *want)
{
	/* Whole records, and cut, so that blocks come whole and in parts. */
	for (size_t segment = 0; segment <= 9; segment += 9) {
		struct script s = {.segment = segment};
		struct text log;

		text_init(&log);
		script_begin(&s, 1, false);
		assert_int_equal(engine_add_sink(s.wire.engine, sink, &log), 0);
		script_run(&s, lines);
		assert_string_equal(log.ptr, want);
		script_finish(&s);
		text_release(&log);
	}
}

#define BEGIN	"open server\nc P | S\ns S\n"
#define H	" :method=GET :scheme=http :path=/a"
#define GRPC	" :method=POST :scheme=http :path=/p.S/M content-type=application/grpc te=trailers"
#define END(n)	"s H" n "e :status=204\n"
#define CALL(n) "s H" n " :status=200 content-type=application/grpc\ns H" n "e grpc-status=0\n"

static void test_http2(void **state)
{
	static const char lines[] = BEGIN "c H1e" H " traceparent=" C(A) "\n" END("1")
		/* The same context from the table, twice: the second block is cached. */
		"c H3e" H
		" traceparent=" C(A) "\n" END("3") "c H5e" H " traceparent=" C(A) "\n" END(
			"5") "c H7e" H
			     "\n" END("7") "c H9e" H " traceparent=" C(B) "\n" END(
				     "9") "c H11e" H
					  "\n" END("11") "c H13e" H " b3=" ID "-" A "-1\n" END(
						  "13") "c H15e" H
							" x-b3-sampled=1 x-b3-traceid=" ID
							" x-b3-spanid=" B
							"\n" END("15") "c H17e" H " traceparent=" C(A) " traceparent=" C(A) "\n" END(
								"17") "c H19e" H
								      " traceparent=ff-" ID "-" A
								      "-01\n" END(
									      "19") "c H21c" H
										    " x=*300 "
										    "traceparent"
										    "=" C(B) "\nc "
											     "H21e "
											     "trace"
											     "paren"
											     "t=" C(A) "\n" END(
												     "21");
	static const char want[] = "/a " A "+\n/a " A "+\n/a " A "+\n/a\n/a " B "+\n/a\n/a " A
				   "+\n/a " B "+\n/a\n/a\n/a " B "+\n";

	(void)state;
	run_http2(lines, &tracing, want);
	run_http2(lines, &plain, "/a\n/a\n/a\n/a\n/a\n/a\n/a\n/a\n/a\n/a\n/a\n");
}

static void test_grpc(void **state)
{
	static const char lines[] =
		BEGIN "c H1" GRPC " traceparent=" C(A) "\nc M1e 3\nc H3" GRPC "\nc M3e 3\n"
						       "c H5" GRPC
						       " traceparent=" C(B) "\nc M5e 3\n" CALL("5")
							       CALL("3") CALL("1");

	(void)state;
	run_http2(lines, &tracing, "p.S/M " B "+\np.S/M\np.S/M " A "+\n");
}

/* The request that asks for HTTP/2 in HTTP/1 becomes stream 1. */
static void test_upgrade(void **state)
{
	struct script s = {0};
	struct text log;

	(void)state;
	text_init(&log);
	script_begin(&s, 1, false);
	assert_int_equal(engine_add_sink(s.wire.engine, &tracing, &log), 0);
	wire_open(&s.wire, ROLE_SERVER);
	wire_data(&s.wire, DIR_INGRESS,
		  "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		  "Upgrade: h2c\r\n" PARENT(A) "HTTP2-Settings: \r\n\r\n");
	script_run(&s, "s Taccept\nc P | S\ns S | H1e :status=204\n");
	assert_string_equal(log.ptr, "/up " A "+\n");
	script_finish(&s);
	text_release(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http1),
		cmocka_unit_test(test_http2),
		cmocka_unit_test(test_grpc),
		cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
