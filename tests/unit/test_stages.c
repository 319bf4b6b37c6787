/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn/stages: where the time of a request went, from the events of a connection; and quantiles of
 * stages (metrics/stage_latency.h). Each event takes a nanosecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/stage_latency.h"
#include "txn/stages.h"
#include "wire.h"

#define GET	 "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST	 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
#define CHUNKED	 "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK	 "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* Of all stages that are known one after the other, the sum is the whole. */
static void on_done(void *ctx, const struct transaction *t)
{
	const struct stages s =
		stages_of(t->start_ns, t->request_end_ns, t->read_ns, t->first_byte_ns, t->end_ns);
	uint64_t sum = 0;
	bool is_whole = true;

	for (int i = 0; i < STAGE_MAX; i++) {
		if (s.ns[i] == STAGE_UNKNOWN)
			text_add(ctx, "- ");
		else
			text_addf(ctx, "%llu ", (unsigned long long)s.ns[i]);
		is_whole &= s.ns[i] != STAGE_UNKNOWN || i == STAGE_WAIT;
		sum += s.ns[i] != STAGE_UNKNOWN ? s.ns[i] : 0;
	}
	text_addf(ctx, "of %llu\n", (unsigned long long)(t->end_ns - t->start_ns));
	if (is_whole)
		assert_int_equal(sum, t->end_ns - t->start_ns);
}

static const struct txn_sink sink = {.done = on_done};

/*
 * A step begins with > for the client's bytes, < for the server's, r for a read of the server that
 * leaves as many bytes as characters follow, m for one that nobody reports, x for the close.
 */
static char *run(const char *const *steps, enum role role)
{
	const char *error;
	struct engine *e =
		engine_new(&(struct engine_options){.conn_cap = 10, .route_cap = 10}, &error);
	uint64_t now_ns = 1000;
	struct wire w = wire_new(e, &now_ns, 5);
	struct text log;

	text_init(&log);
	(void)engine_add_sink(e, &sink, &log); /* has room */
	wire_open(&w, role);
	for (; *steps; steps++) {
		if (**steps == 'x')
			wire_close(&w, false);
		else if (**steps == 'r')
			wire_read(&w, (uint32_t)strlen(*steps + 1));
		else if (**steps == 'm')
			w.read = w.seq[DIR_INGRESS];
		else
			wire_data(&w,
				  (**steps == '>') == (role == ROLE_SERVER) ? DIR_INGRESS
									    : DIR_EGRESS,
				  *steps + 1);
	}
	engine_free(e);
	return log.ptr;
}

static void test_http1(void **state)
{
	static const struct {
		const char *why;
		const char *steps[12];
		const char *want;
	} rows[] = {
		{"a segment each", {">" GET, "<" OK "body"}, "0 - 1 0 of 1\n"},
		{"the head in three segments",
		 {">GET", "> / HTTP/1.1\r\nHost: x", ">\r\n\r\n", "<" OK "body"},
		 "2 - 1 0 of 3\n"},
		{"an upload in three", {">" POST, ">b", ">ody", "<" OK "body"}, "2 - 1 0 of 3\n"},
		{"in chunks",
		 {">" CHUNKED, ">4\r\nbody\r\n", ">0\r\n\r\n", "<" OK "body"},
		 "2 - 1 0 of 3\n"},
		{"a response in three", {">" GET, "<" OK, "<b", "<ody"}, "0 - 1 2 of 3\n"},
		{"the interim response is none",
		 {">" POST, "<" CONTINUE, ">body", "<" OK "body"},
		 "2 - 1 0 of 3\n"},
		{"each request of a connection",
		 {">" GET, "<" OK "body", ">" POST, ">body", "<" OK, "<body"},
		 "0 - 1 0 of 1\n1 - 1 1 of 3\n"},
		{"pipelined requests",
		 {">" GET GET, "<" OK "body", "<" OK "body"},
		 "0 - 1 0 of 1\n0 - 2 0 of 2\n"},
		{"the response begins before the upload ends",
		 {">" POST, "<" OK, ">body", "<body"},
		 "- - - 2 of 3\n"},
		{"the response ends before the upload does",
		 {">" POST, "<" OK "body", ">body"},
		 "- - - 0 of 1\n"},
		{"no response", {">" POST, ">body", "x"}, "1 - - - of 2\n"},
		{"no whole request", {">" POST, "x"}, "- - - - of 1\n"},
		{"half of a response", {">" GET, "<" OK, "x"}, "0 - 1 1 of 2\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (enum role role = ROLE_SERVER; role <= ROLE_CLIENT; role++) {
			char *got = run(rows[i].steps, role);

			if (strcmp(got, rows[i].want) != 0)
				fail_msg("%s (role %d): %s", rows[i].why, role, got);
			free(got);
		}
	}
}

static void test_wait(void **state)
{
	static const struct {
		const char *why;
		const char *steps[12];
		const char *want;
	} rows[] = {
		{"read at once", {">" GET, "r", "<" OK "body"}, "0 1 1 0 of 2\n"},
		{"read late, twice", {">" GET, "rxxx", "r", "<" OK "body"}, "0 2 1 0 of 3\n"},
		{"the head was read before the body came",
		 {">" POST, "r", ">body", "r", "<" OK "body"},
		 "2 1 1 0 of 4\n"},
		{"what was read is not the whole",
		 {">" GET, "rx", "<" OK "body"},
		 "0 - 2 0 of 2\n"},
		{"read after the response",
		 {">" POST, ">body", "<" OK, "r", "<body"},
		 "1 - 1 2 of 4\n"},
		{"no response", {">" GET, "r", "x"}, "0 1 - - of 2\n"},
		{"each request of a connection",
		 {">" GET, "r", "<" OK "body", ">" GET, "<" OK "body", ">" GET, "r", "<" OK "body"},
		 "0 1 1 0 of 2\n0 - 1 0 of 1\n0 1 1 0 of 2\n"},
		{"pipelined requests, read one by one",
		 {">" GET, ">" GET, "r" GET, "r", "<" OK "body", "<" OK "body"},
		 "0 2 2 0 of 4\n0 2 2 0 of 4\n"},
		{"a read that is not reported, and one of what followed",
		 {">" GET, "m", ">" GET, "r", "<" OK "body", "<" OK "body"},
		 "0 - 3 0 of 3\n0 1 2 0 of 3\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = run(rows[i].steps, ROLE_SERVER);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].why, got);
		free(got);
		/* What a client's program reads are responses. */
		got = run(rows[i].steps, ROLE_CLIENT);
		for (const char *at = got; *at; at = strchr(at, '\n') + 1)
			assert_true(strncmp(at, "0 - ", 4) == 0 || strncmp(at, "1 - ", 4) == 0 ||
				    strncmp(at, "2 - ", 4) == 0);
		free(got);
	}
}

/* A read is reported before it is known what was read: the segment came out of order. */
static void test_read_comes_first(void **state)
{
	static const char get[] = GET;
	const char *error;
	struct engine *e =
		engine_new(&(struct engine_options){.conn_cap = 10, .route_cap = 10}, &error);
	uint64_t now_ns = 1000;
	struct wire w = wire_new(e, &now_ns, 5);
	struct text log;

	(void)state;
	text_init(&log);
	(void)engine_add_sink(e, &sink, &log); /* has room */
	wire_open(&w, ROLE_SERVER);
	w.seq[DIR_INGRESS] += (uint32_t)strlen(get);
	wire_read(&w, 0);
	w.seq[DIR_INGRESS] -= (uint32_t)strlen(get);
	now_ns -= 2;
	wire_data(&w, DIR_INGRESS, get);
	now_ns += 2;
	wire_data(&w, DIR_EGRESS, OK "body");
	assert_string_equal(log.ptr, "0 1 2 0 of 3\n");
	text_release(&log);
	engine_free(e);
}

static void test_quantiles(void **state)
{
	static struct stage_latency l;

	(void)state;
	assert_int_equal(stage_latency_quantile(&l, .5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		stage_latency_add(&l, i * i * 1000);
	for (unsigned percent = 1; percent <= 100; percent++) {
		uint64_t rank = percent * 10;
		double want = (double)(rank * rank * 1000);
		double got = (double)stage_latency_quantile(&l, percent / 100.);

		assert_true(got > want * 15 / 16 && got < want * 17 / 16);
	}
	/* Every power of two and its neighbours have a bucket. */
	for (unsigned bits = 0; bits < 64; bits++)
		for (int by = -1; by <= 1; by++)
			stage_latency_add(&l, (UINT64_C(1) << bits) + (uint64_t)by);
	assert_int_equal(l.count, 1000 + 3 * 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http1),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_read_comes_first),
		cmocka_unit_test(test_quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
