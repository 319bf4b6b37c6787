/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields of HTTP/1 and HTTP/2: those that somebody wants are there, once each, in order,
 * with trailers, also when heads repeat and come from a cache; secrets never are
 * (test_redact_headers.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http2_script.h"
#include "metrics/recorder.h"

#define SECRET "hunter2-Zq9"

/* --- what transactions have ---------------------------------------------------------- */

static void add_fields(struct text *text, const struct headers *h)
{
	static const char *const signs[HEADER_SECTIONS] = {">", "<", ">>", "<<"};
	struct header_field f;

	for (size_t at = 0; h && headers_next(h, &at, &f);)
		text_addf(text, " %s%.*s=%.*s", signs[f.section], SPAN_ARG(f.name),
			  SPAN_ARG(f.value));
	if (h && h->weight)
		text_addf(text, " weight=%u", h->weight);
	text_add(text, h && h->is_cut ? " cut\n" : "\n");
}

static void on_done(void *ctx, const struct transaction *t)
{
	struct text *text = ctx;

	text_addf(text, "%u", t->http.status);
	add_fields(text, t->headers);
}

static const struct txn_sink sink = {.done = on_done};

struct world {
	struct engine *engine;
	struct text log;
	struct header_wish wish;
	uint64_t now_ns;
	struct wire wire;
};

static void begin(struct world *w, const char *names)
{
	const struct engine_options options = {.conn_cap = 10, .route_cap = 10};
	const char *error;

	*w = (struct world){.engine = engine_new(&options, &error), .wish.names = names};
	assert_non_null(w->engine);
	text_init(&w->log);
	(void)engine_add_sink(w->engine, &sink, &w->log);
	if (names)
		engine_want_headers(w->engine, &w->wish);
	w->wire = wire_new(w->engine, &w->now_ns, 1);
	wire_open(&w->wire, ROLE_SERVER);
}

static void finish(struct world *w, const char *want)
{
	assert_string_equal(w->log.ptr, want);
	text_release(&w->log);
	engine_free(w->engine);
}

#define REQUEST                                                                                    \
	"GET /a HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\nAuthorization: Basic " SECRET                 \
	"\r\nx-two: a\r\nx-two: b\r\n\r\n"
#define RESPONSE                                                                                   \
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=" SECRET "\r\nServer: x\r\n\r\n"
#define ALL                                                                                        \
	"200 >Host=h >X-One=1 >Authorization=*** >x-two=a >x-two=b <Content-Length=0 "             \
	"<Set-Cookie=*** <Server=x\n"

static void test_off(void **state)
{
	struct world w;

	(void)state;
	begin(&w, NULL);
	wire_data(&w.wire, DIR_INGRESS, REQUEST);
	wire_data(&w.wire, DIR_EGRESS, RESPONSE);
	finish(&w, "200\n");
}

/* The second and third time, heads come from the cache. */
static void test_http1_cached(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "all");
	for (int i = 0; i < 3; i++) {
		wire_data(&w.wire, DIR_INGRESS, REQUEST);
		wire_data(&w.wire, DIR_EGRESS, RESPONSE);
	}
	finish(&w, ALL ALL ALL);
}

static void test_http1_in_pieces(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "all");
	for (const char *p = REQUEST; *p; p++)
		wire_record(&w.wire, DIR_INGRESS, (struct span){p, 1}, 0, false, false);
	for (const char *p = RESPONSE; *p; p++)
		wire_record(&w.wire, DIR_EGRESS, (struct span){p, 1}, 0, false, false);
	finish(&w, ALL);
}

static void test_pipelined(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "x-*");
	wire_data(&w.wire, DIR_INGRESS, REQUEST "GET /b HTTP/1.1\r\nX-One: 2\r\n\r\n");
	wire_data(&w.wire, DIR_EGRESS, RESPONSE "HTTP/1.1 204 No\r\nX-Three: 3\r\n\r\n");
	finish(&w, "200 >X-One=1 >x-two=a >x-two=b\n204 >X-One=2 <X-Three=3\n");
}

/* A wildcard does not bring a secret back, nor does its name. */
static void test_lists(void **state)
{
	static const struct {
		const char *names;
		const char *want;
	} rows[] = {
		{"*", ALL},
		{"authorization", "200 >Authorization=***\n"},
		{"set-*,HOST", "200 >Host=h <Set-Cookie=***\n"},
		{"no-such", "200\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		begin(&w, rows[i].names);
		wire_data(&w.wire, DIR_INGRESS, REQUEST);
		wire_data(&w.wire, DIR_EGRESS, RESPONSE);
		finish(&w, rows[i].want);
	}
}

#define CHUNKED_REQUEST                                                                            \
	"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n"    \
	"X-Token: a:" SECRET "\r\n\r\n"
#define CHUNKED_RESPONSE                                                                           \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Took: "           \
	"5ms\r\n\r\n"
#define CHUNKED_ALL                                                                                \
	"200 >Transfer-Encoding=chunked >>X-Sum=7 >>X-Token=*** <Transfer-Encoding=chunked "       \
	"<<X-Took=5ms\n"

static void test_trailers(void **state)
{
	(void)state;
	for (size_t step = 1; step < sizeof(CHUNKED_REQUEST); step++) {
		const struct span parts[2] = {span_of(CHUNKED_REQUEST), span_of(CHUNKED_RESPONSE)};
		struct world w;

		begin(&w, "all");
		for (int dir = 0; dir < 2; dir++) {
			for (size_t at = 0; at < parts[dir].len; at += step) {
				struct span piece = span_from(parts[dir], at);

				piece.len = piece.len < step ? piece.len : step;
				wire_record(&w.wire, (enum dir)dir, piece, 0, false, false);
			}
		}
		finish(&w, CHUNKED_ALL);
	}
}

/* Bytes of a chunked body are skipped: its trailers are kept if they are seen, else it says so. */
static void test_trailers_behind_a_gap(void **state)
{
#define GAP_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n"
	static const struct {
		const char *why;
		const char *end;
		const char *next;
		const char *want;
	} rows[] = {
		{"none", "\r\n0\r\n\r\n", NULL, "200 >Host=h <Transfer-Encoding=chunked\n"},
		{"in one piece with the last chunk",
		 "\r\n0\r\nX-Took: 5ms\r\nX-Token: a" SECRET "\r\n\r\n", NULL,
		 "200 >Host=h <Transfer-Encoding=chunked <<X-Took=5ms <<X-Token=***\n"},
		{"cut: the last chunk was not seen", "ook: 5ms\r\n\r\n", RESPONSE,
		 "200 >Host=h <Transfer-Encoding=chunked cut\n200 >Host=h <Content-Length=0 "
		 "<Set-Cookie=*** <Server=x\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		begin(&w, "all");
		wire_data(&w.wire, DIR_INGRESS, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
		wire_data(&w.wire, DIR_EGRESS, GAP_HEAD);
		wire_skip(&w.wire, DIR_EGRESS, 0x12000);
		wire_data(&w.wire, DIR_EGRESS, rows[i].end);
		if (rows[i].next) {
			wire_data(&w.wire, DIR_INGRESS, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
			wire_data(&w.wire, DIR_EGRESS, rows[i].next);
		}
		finish(&w, rows[i].want);
	}
}

/* The response comes while a trailer of the request is not whole. */
static void test_trailers_cross(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "all");
	wire_data(&w.wire, DIR_INGRESS,
		  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Token: fo");
	wire_data(&w.wire, DIR_EGRESS, CHUNKED_RESPONSE);
	wire_data(&w.wire, DIR_INGRESS, "o:" SECRET "\r\n\r\n");
	assert_null(strstr(w.log.ptr, SECRET));
	finish(&w, "200 >Transfer-Encoding=chunked <Transfer-Encoding=chunked <<X-Took=5ms\n");
}

/* No more than so many bytes of a request, and it says so. */
static void test_too_many(void **state)
{
	struct text head;
	struct world w;
	unsigned there = 0;

	(void)state;
	text_init(&head);
	text_add(&head, "GET /a HTTP/1.1\r\n");
	for (int i = 0; i < 140; i++)
		text_addf(&head, "X-Field-%03d: %-90s|\r\n", i, "word");
	text_add(&head, "\r\n");
	begin(&w, "all");
	wire_data(&w.wire, DIR_INGRESS, head.ptr);
	wire_data(&w.wire, DIR_EGRESS, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	for (const char *at = w.log.ptr; (at = strstr(at, ">X-Field-")); at++)
		there++;
	assert_int_equal(there, 75); /* 8192 / (6 + 11 + 91), and the response's do not fit */
	assert_non_null(strstr(w.log.ptr, " cut\n"));
	assert_true(strlen(w.log.ptr) < 8192 + 100);
	text_release(&head);
	text_release(&w.log);
	engine_free(w.engine);
}

/* Whoever wants fields gets them from then on, until nobody does. */
static void test_switched(void **state)
{
	struct header_wish other = {.names = "x-one"};
	struct world w;

	(void)state;
	begin(&w, NULL);
	wire_data(&w.wire, DIR_INGRESS, REQUEST);
	w.wish.names = "server";
	engine_want_headers(w.engine, &w.wish);
	wire_data(&w.wire, DIR_EGRESS, RESPONSE);
	engine_want_headers(w.engine, &other);
	wire_data(&w.wire, DIR_INGRESS, REQUEST);
	wire_data(&w.wire, DIR_EGRESS, RESPONSE);
	engine_unwant_headers(w.engine, &w.wish);
	engine_unwant_headers(w.engine, &w.wish); /* a second time */
	wire_data(&w.wire, DIR_INGRESS, REQUEST);
	wire_data(&w.wire, DIR_EGRESS, RESPONSE);
	engine_unwant_headers(w.engine, &other);
	wire_data(&w.wire, DIR_INGRESS, REQUEST);
	wire_data(&w.wire, DIR_EGRESS, RESPONSE);
	finish(&w, "200 <Server=x\n200 >X-One=1 <Server=x\n200 >X-One=1\n200\n");
}

/* --- HTTP/2 -------------------------------------------------------------------------- */

/* A script of http2_script.h, while these fields are wanted. */
static void play(const char *names, const char *lines, const char *want)
{
	struct header_wish wish = {.names = names};
	struct script s = {0};
	struct text log;

	text_init(&log);
	script_begin(&s, 1, true);
	(void)engine_add_sink(s.wire.engine, &sink, &log);
	engine_want_headers(s.wire.engine, &wish);
	script_run(&s, lines);
	assert_string_equal(log.ptr, want);
	text_release(&log);
	script_finish(&s);
}

#define CALL(stream)                                                                               \
	"c H" stream "e :method=GET :scheme=http :path=/a?token=" SECRET                           \
	" :authority=h x-one=1 authorization=" SECRET "\n"                                         \
	"s H" stream "e :status=200 server=x set-cookie=s=" SECRET "\n"
#define CALLED                                                                                     \
	"200 >:method=GET >:scheme=http >:path=/a?token=*** >:authority=h >x-one=1 "               \
	">authorization=*** <:status=200 <server=x <set-cookie=***\n"

/* After the first call the dynamic table has all fields: the blocks repeat byte by byte. */
static void test_http2_cached(void **state)
{
	(void)state;
	play("all", "open server\nc P\n" CALL("1") CALL("3") CALL("5") CALL("7"),
	     CALLED CALLED CALLED CALLED);
}

static void test_grpc(void **state)
{
	(void)state;
	play("*",
	     "open server\nc P\n"
	     "c H1rp :method=POST :path=/p.S/M content-type=application/grpc te=trailers "
	     "x-trace-bin=AAEC token-bin=" SECRET "\n"
	     "c M1e 5\n"
	     "s H1 :status=200 content-type=application/grpc\n"
	     "s M1 7\n"
	     "s H1ec grpc-status=0 grpc-message=ok x-cost=3\n",
	     "200 >:method=POST >:path=/p.S/M >content-type=application/grpc >te=trailers "
	     ">x-trace-bin=AAEC >token-bin=*** <:status=200 <content-type=application/grpc "
	     "<<grpc-status=0 <<grpc-message=ok <<x-cost=3 weight=17\n");
}

/* Of an older connection, fields may be unknown: that is said. */
static void test_http2_older(void **state)
{
	(void)state;
	play("x-*",
	     "open server\n!c P\n"
	     "!c H1e :method=GET :path=/a x-one=1\n!s H1e :status=200\n"
	     "c H3e :method=GET :path=/a x-one=1\ns H3e :status=200 x-two=2\n",
	     "200 <x-two=2 cut\n");
}

/* --- the recorder -------------------------------------------------------------------- */

static size_t count_with_headers(const struct recorder *r)
{
	const struct record *e;
	size_t count = 0;

	for (uint64_t at = 1; (e = recorder_next(r, at)); at = e->number + 1)
		count += recorder_headers(r, e) != NULL;
	return count;
}

static void ask(struct world *w, const char *status)
{
	char response[128];

	(void)snprintf(response, sizeof(response),
		       "HTTP/1.1 %s X\r\nContent-Length: 0\r\nX-Status: %s\r\n\r\n", status,
		       status);
	wire_data(&w->wire, DIR_INGRESS, REQUEST);
	wire_data(&w->wire, DIR_EGRESS, response);
}

static void test_recorded(void **state)
{
	struct recorder *r = recorder_new(16);
	const struct header_wishes *wishes;
	struct memory_budget *budget;
	struct header_field f;
	const struct record *e;
	size_t at = 0;
	struct world w;

	(void)state;
	assert_non_null(r);
	begin(&w, NULL);
	(void)engine_add_sink(w.engine, &recorder_sink, r);
	wishes = engine_header_wishes(w.engine);
	budget = engine_memory(w.engine);
	ask(&w, "200");
	assert_int_equal(count_with_headers(r), 0);
	w.wish.names = "x-status,host";
	engine_want_headers(w.engine, &w.wish);
	assert_int_equal(recorder_follow_headers(r, wishes, budget), 0);
	ask(&w, "503");
	for (int i = 0; i < 15; i++)
		ask(&w, "200");
	assert_int_equal(count_with_headers(r), 16);
	/* The error stays with its fields when newer ones have overwritten its place. */
	for (int i = 0; i < 40; i++)
		ask(&w, "200");
	e = recorder_next(r, 2);
	assert_int_equal(e->status, 503);
	assert_true(headers_next(recorder_headers(r, e), &at, &f));
	assert_true(span_is(f.name, "Host"));
	assert_true(headers_next(recorder_headers(r, e), &at, &f));
	assert_true(span_is(f.value, "503"));
	assert_false(headers_next(recorder_headers(r, e), &at, &f));
	/* Fewer are wanted: the others go at once. */
	w.wish.names = "host";
	assert_int_equal(recorder_follow_headers(r, wishes, budget), 0);
	at = 0;
	assert_true(headers_next(recorder_headers(r, e), &at, &f));
	assert_false(headers_next(recorder_headers(r, e), &at, &f));
	/* None is wanted: nothing of them is left, in the budget neither. */
	assert_true(recorder_stats(r)->headers.bytes > 0);
	engine_unwant_headers(w.engine, &w.wish);
	assert_int_equal(recorder_follow_headers(r, wishes, budget), 0);
	assert_int_equal(count_with_headers(r), 0);
	assert_int_equal(recorder_stats(r)->headers.bytes, 0);
	assert_int_equal(recorder_stats(r)->headers.dropped, 0);
	text_release(&w.log);
	engine_free(w.engine);
	recorder_free(r);
}

/* The oldest give way; no connection does. */
static void test_recorder_is_bounded(void **state)
{
	const struct engine_options options = {
		.conn_cap = 10, .route_cap = 10, .memory_cap = 1u << 20};
	struct recorder *r = recorder_new(2000);
	const char *error;
	struct world w;
	size_t cap;

	(void)state;
	assert_non_null(r);
	begin(&w, NULL);
	engine_free(w.engine);
	w.engine = w.wire.engine = engine_new(&options, &error);
	wire_open(&w.wire, ROLE_SERVER);
	(void)engine_add_sink(w.engine, &recorder_sink, r);
	cap = engine_memory(w.engine)->account_cap;
	w.wish.names = "all";
	engine_want_headers(w.engine, &w.wish);
	assert_int_equal(
		recorder_follow_headers(r, engine_header_wishes(w.engine), engine_memory(w.engine)),
		0);
	for (int i = 0; i < 5000; i++) {
		ask(&w, i % 3 ? "200" : "503");
		assert_true(recorder_stats(r)->headers.bytes <= cap);
	}
	assert_true(recorder_stats(r)->headers.bytes > cap / 2);
	assert_true(count_with_headers(r) > 50);
	assert_non_null(recorder_headers(r, recorder_next(r, 5000)));
	assert_true(recorder_stats(r)->headers.dropped > 4000);
	assert_int_equal(engine_stats(w.engine)->conns_evicted_memory, 0);
	assert_int_equal(engine_stats(w.engine)->memory_refused, 0);
	engine_unwant_headers(w.engine, &w.wish);
	(void)recorder_follow_headers(r, engine_header_wishes(w.engine), NULL);
	text_release(&w.log);
	engine_free(w.engine);
	recorder_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {

		cmocka_unit_test(test_off),
		cmocka_unit_test(test_http1_cached),
		cmocka_unit_test(test_http1_in_pieces),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_trailers_cross),
		cmocka_unit_test(test_trailers_behind_a_gap),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_switched),
		cmocka_unit_test(test_http2_cached),
		cmocka_unit_test(test_grpc),
		cmocka_unit_test(test_http2_older),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_recorder_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
