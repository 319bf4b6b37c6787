/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder has the last requests, and longer the errors and the slowest; and nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "metrics/recorder.h"

#define MS   UINT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

static const char route_a[] = "/a";
static const char route_b[] = "/b";

struct world {
	struct recorder *r;
	uint64_t now_ns;
	uint64_t count;
};

static struct world begin(size_t recent)
{
	struct world w = {.r = recorder_new(recent), .now_ns = HOUR};

	assert_non_null(w.r);
	return w;
}

static const struct endpoint local = {.family = 4, .addr = {10, 0, 0, 1}, .port = 80};
static const struct endpoint remote = {.family = 4, .addr = {10, 0, 0, 2}, .port = 40000};

static struct transaction request(struct world *w, const char *route, unsigned status, uint64_t ms)
{
	struct transaction t = {
		.role = ROLE_SERVER,
		.local = &local,
		.remote = &remote,
		.known_method = "GET",
		.route = route,
		.server_address = "",
		.start_ns = w->now_ns,
		.end_ns = w->now_ns + ms * MS,
		.http = {.status = (uint16_t)status,
			 .method = span_of("GET"),
			 .target = span_of("/a/b?c=d")},
	};

	w->now_ns += MS;
	w->count++;
	return t;
}

static void done(struct world *w, const char *route, unsigned status, uint64_t ms)
{
	struct transaction t = request(w, route, status, ms);

	recorder_sink.done(w->r, &t);
}

/* Numbers of all records, in order; each is there once. */
static size_t numbers(const struct world *w, uint64_t *to, size_t max)
{
	const struct record *e;
	uint64_t number = 1;
	size_t n = 0;

	for (; (e = recorder_next(w->r, number)) && n < max; number = e->number + 1) {
		assert_true(e->number >= number);
		to[n++] = e->number;
	}
	return n;
}

static bool is_there(const struct world *w, uint64_t number)
{
	const struct record *e = recorder_next(w->r, number);

	return e && e->number == number;
}

static void test_ring(void **state)
{
	struct world w = begin(100);
	uint64_t got[500];

	(void)state;
	assert_null(recorder_next(w.r, 1));
	for (unsigned i = 1; i <= 350; i++) {
		size_t n;

		done(&w, route_a, 200, 1);
		n = numbers(&w, got, 500);
		assert_int_equal(got[n - 1], i);
		assert_true(n >= (i < 100 ? i : 100));
		for (size_t k = n - (i < 100 ? i : 100); k < n; k++)
			assert_int_equal(got[k], i - (n - 1 - k));
		assert_int_equal(recorder_oldest(w.r), i > 100 ? i - 99 : 1);
		assert_int_equal(recorder_next_number(w.r), i + 1);
		assert_null(recorder_next(w.r, i + 1));
	}
	assert_int_equal(recorder_stats(w.r)->recorded, 350);
	recorder_free(w.r);
}

/* Every request is in a place, or was counted as gone. */
static void check_sum(const struct world *w)
{
	const struct recorder_stats *s = recorder_stats(w->r);
	uint64_t got[4000];
	uint64_t gone = 0;

	for (int i = 0; i < RECORDER_PLACES; i++)
		gone += s->overwritten[i];
	assert_int_equal(numbers(w, got, 4000) + gone, w->count);
}

static void test_errors_are_kept(void **state)
{
	struct world w = begin(64);
	size_t errors;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		done(&w, route_a, 500 + i, 1);
	for (unsigned i = 0; i < 5000; i++)
		done(&w, route_a, i % 2 ? 404 : 200, 2);
	for (uint64_t i = 1; i <= 5; i++)
		assert_true(is_there(&w, i));
	check_sum(&w);
	/* Those that are kept are the last ones. */
	errors = 64 / 8;
	for (unsigned i = 0; i < 100; i++)
		done(&w, route_a, 503, 1);
	for (unsigned i = 0; i < 64; i++)
		done(&w, route_a, 200, 1);
	for (uint64_t i = 0; i < errors; i++)
		assert_true(is_there(&w, 5105 - i));
	assert_false(is_there(&w, 5105 - errors));
	assert_int_equal(recorder_stats(w.r)->overwritten[RECORDER_ERROR], 105 - errors);
	check_sum(&w);
	recorder_free(w.r);
}

static void test_what_is_an_error(void **state)
{
	static const struct {
		const char *why;
		enum role role;
		enum txn_protocol protocol;
		unsigned status;
		unsigned grpc_status;
		enum txn_error error;
		bool want;
	} rows[] = {
		{"a server's 404 is the client's fault", ROLE_SERVER, TXN_HTTP, 404, 0, TXN_OK,
		 false},
		{"a client sees it as one", ROLE_CLIENT, TXN_HTTP, 404, 0, TXN_OK, true},
		{"a server's 500", ROLE_SERVER, TXN_HTTP, 500, 0, TXN_OK, true},
		{"no response", ROLE_SERVER, TXN_HTTP, 0, 0, TXN_RESET, true},
		{"OK of gRPC", ROLE_SERVER, TXN_GRPC, 200, 0, TXN_OK, false},
		{"NOT_FOUND of gRPC", ROLE_SERVER, TXN_GRPC, 200, 5, TXN_OK, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w = begin(16);
		struct transaction t = request(&w, route_a, rows[i].status, 1);

		t.role = rows[i].role;
		t.protocol = rows[i].protocol;
		t.grpc.status = (uint16_t)rows[i].grpc_status;
		t.error = rows[i].error;
		recorder_sink.done(w.r, &t);
		if (record_is_error(recorder_next(w.r, 1)) != rows[i].want)
			fail_msg("%s", rows[i].why);
		recorder_free(w.r);
	}
}

static void test_slowest_of_each_route(void **state)
{
	struct world w = begin(16);

	(void)state;
	done(&w, route_a, 200, 900); /* 1 */
	done(&w, route_b, 200, 5); /* 2 */
	for (unsigned i = 0; i < 500; i++)
		done(&w, route_a, 200, i % 7);
	assert_true(is_there(&w, 1));
	assert_true(is_there(&w, 2));
	done(&w, route_a, 200, 901); /* 503 */
	for (unsigned i = 0; i < 100; i++)
		done(&w, route_a, 200, 1);
	assert_true(is_there(&w, 503));
	assert_false(is_there(&w, 1));
	check_sum(&w);
	/* Once it is old, it gives way to a faster one. */
	w.now_ns += 2 * HOUR;
	for (unsigned i = 0; i < 100; i++)
		done(&w, route_a, 200, 3);
	assert_false(is_there(&w, 503));
	assert_true(is_there(&w, 2));
	check_sum(&w);
	recorder_free(w.r);
}

/* More routes than cells: the rest share one, and nothing is lost unseen. */
static void test_many_routes(void **state)
{
	static char routes[200][8];
	struct world w = begin(32);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(routes[i], sizeof(routes[i]), "/%u", i);
		done(&w, routes[i], 200, i + 1);
	}
	for (unsigned i = 0; i < 40; i++)
		done(&w, routes[0], 200, 1);
	assert_int_equal(recorder_stats(w.r)->routes_overflowed, 200 - 64);
	assert_true(is_there(&w, 200)); /* the slowest of the shared ones */
	assert_true(is_there(&w, 1));
	check_sum(&w);
	recorder_free(w.r);
}

static void test_text(void **state)
{
	struct world w = begin(16);
	char target[400] = "/";
	struct transaction t = request(&w, route_a, 200, 1);
	const struct record *e;

	(void)state;
	recorder_sink.done(w.r, &t);
	e = recorder_next(w.r, 1);
	assert_true(span_is(record_method(e), "GET"));
	assert_int_equal(e->method_len, 0);
	assert_true(span_is(record_target(e), "/a/b?c=d"));
	assert_int_equal(e->remote.port, 40000);

	t.http.target = span_of("/a?token=hunter2&x=1");
	recorder_sink.done(w.r, &t);
	assert_true(span_is(record_target(recorder_next(w.r, 2)), "/a?token=***&x=1"));
	t.http.target = span_of("http://joe:hunter2@example.com/");
	recorder_sink.done(w.r, &t);
	assert_true(span_is(record_target(recorder_next(w.r, 3)), "http://***@example.com/"));

	memset(target + 1, 'a', sizeof(target) - 1);
	t.http.target = (struct span){target, sizeof(target)};
	recorder_sink.done(w.r, &t);
	e = recorder_next(w.r, 4);
	assert_int_equal(record_target(e).len, RECORD_TEXT_MAX);
	assert_true(e->is_cut);
	assert_int_equal(recorder_stats(w.r)->targets_cut, 1);
	/* Each length up to there, with bytes of longer ones behind it. */
	for (size_t len = 0; len <= RECORD_TEXT_MAX; len++) {
		t.http.target.len = len;
		recorder_sink.done(w.r, &t);
		e = recorder_next(w.r, recorder_next_number(w.r) - 1);
		assert_int_equal(record_target(e).len, len);
		assert_false(e->is_cut);
	}

	/* A method that is none of the known ones. */
	t.known_method = "_OTHER";
	t.http.method = span_of("BREW");
	t.http.target.len = 5;
	recorder_sink.done(w.r, &t);
	e = recorder_next(w.r, recorder_next_number(w.r) - 1);
	assert_true(span_is(record_method(e), "BREW"));
	assert_true(span_is(record_target(e), "/aaaa"));

	/* No memory for the words of the wire. */
	t.http.method = t.http.target = (struct span){NULL, 0};
	recorder_sink.done(w.r, &t);
	assert_int_equal(record_target(recorder_next(w.r, recorder_next_number(w.r) - 1)).len, 0);
	recorder_free(w.r);
}

/* It is beside a target of any length, cut or not, and not in the next record of its place. */
static void test_trace(void **state)
{
	const struct trace_context trace = {
		.trace_id = {1, 2, [15] = 16}, .span_id = {17, [7] = 24}, .is_sampled = true};
	struct world w = begin(16);
	char target[200];
	struct transaction t = request(&w, route_a, 200, 1);

	(void)state;
	memset(target, 'a', sizeof(target));
	for (size_t len = 0; len <= sizeof(target); len++) {
		size_t kept = len < RECORD_TRACED_TEXT_MAX ? len : RECORD_TRACED_TEXT_MAX;
		const struct record *e;

		t.http.target = (struct span){target, len};
		t.trace = &trace;
		recorder_sink.done(w.r, &t);
		e = recorder_next(w.r, recorder_next_number(w.r) - 1);
		assert_memory_equal(record_trace(e), &trace, sizeof(trace));
		assert_true(span_eq(record_target(e), (struct span){target, kept}));
		assert_int_equal(e->is_cut, kept < len);
		t.trace = NULL;
		recorder_sink.done(w.r, &t);
		assert_null(record_trace(recorder_next(w.r, recorder_next_number(w.r) - 1)));
	}
	recorder_free(w.r);
}

static void count_call(void *ctx)
{
	++*(unsigned *)ctx;
}

static void test_notify(void **state)
{
	struct world w = begin(16);
	unsigned calls = 0;

	(void)state;
	recorder_notify(w.r, 3, count_call, &calls);
	done(&w, route_a, 200, 1);
	done(&w, route_a, 200, 1);
	assert_int_equal(calls, 0);
	done(&w, route_a, 200, 1);
	done(&w, route_a, 200, 1);
	assert_int_equal(calls, 1);
	recorder_notify(w.r, 1, count_call, &calls); /* it has passed: the next one */
	done(&w, route_a, 200, 1);
	assert_int_equal(calls, 2);
	recorder_free(w.r);
}

static void test_memory(void **state)
{
	(void)state;
	assert_true(recorder_bytes(RECORDER_RECENT_DEFAULT) <= 1 << 20);
	assert_int_equal(recorder_fit(1000), 0);
	for (size_t bytes = 1 << 10; bytes < 4 << 20; bytes += 3777) {
		size_t fit = recorder_fit(bytes);

		assert_true(!fit || recorder_bytes(fit) <= bytes);
		assert_true(!fit || recorder_bytes(fit + fit / 4 + 2) > bytes);
	}
	assert_int_equal(recorder_fit(recorder_bytes(RECORDER_RECENT_DEFAULT)),
			 RECORDER_RECENT_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_errors_are_kept),
		cmocka_unit_test(test_what_is_an_error),
		cmocka_unit_test(test_slowest_of_each_route),
		cmocka_unit_test(test_many_routes),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
