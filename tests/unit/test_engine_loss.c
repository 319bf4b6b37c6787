/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random exchanges (random_peers.h): without loss all of them are reported; with loss, whatever is
 * reported has the right status, sizes and times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "random_peers.h"

static unsigned number_of(struct span target)
{
	unsigned n = 0;

	assert_true(span_starts(target, "/"));
	for (size_t i = 1; i < target.len; i++)
		n = n * 10 + (unsigned)(target.ptr[i] - '0');
	return n;
}

static void check(void *ctx, const struct transaction *t)
{
	struct world *w = ctx;
	struct peer *p = &w->peer[t->conn_id - 1];
	unsigned n = number_of(t->http.target);
	struct expected *x = &p->expected[n % 100];
	bool is_whole = x->end_ns && (!x->is_until_close || !p->is_reset);

	assert_true(n / 100 == t->conn_id - 1 && n % 100 < p->count);
	w->reported++;
	if (x->is_reported)
		fail_msg("request %u reported twice", n);
	x->is_reported = true;
	assert_int_equal(t->role, p->role);
	assert_true(span_is(txn_method(t), x->method));
	assert_int_equal(t->start_ns, x->begin_ns);
	/* The last bytes before a reset may be lost, or unreported body: sizes are not checked. */
	if (!is_whole || (w->loss && p->is_reset && t->error && t->http.status)) {
		if (t->error != TXN_RESET)
			fail_msg("request %u: %s %u, before a reset, is reported as %s %u", n,
				 x->method, x->status, txn_error_name(t->error), t->http.status);
		assert_true(t->http.status == 0 || t->http.status == x->status);
		assert_true(t->response_bytes <= x->response_size);
		assert_true(t->request_bytes <= x->request_size);
		return;
	}
	if (t->error || t->http.status != x->status ||
	    (t->request_bytes != x->request_size && !(w->loss && x->is_chunked)) ||
	    t->response_bytes != x->response_size)
		fail_msg("request %u: %s %u %u/%u is reported as %s %u %u/%u", n, x->method,
			 x->status, x->request_size, x->response_size, txn_error_name(t->error),
			 t->http.status, (unsigned)t->request_bytes, (unsigned)t->response_bytes);
	if (x->is_until_close)
		assert_true(t->end_ns >= x->end_ns);
	else
		assert_int_equal(t->end_ns, x->end_ns);
}

static const struct txn_sink sink = {.needs = TXN_NEED_TARGET, .done = check};

/* Adds to the sums. */
static void run(uint32_t loss, uint64_t *sent, uint64_t *reported, uint64_t *lost)
{
	static const struct engine_options options = {.conn_cap = CONNS, .route_cap = 10};
	static struct world world;
	struct world *w = &world;
	struct engine *engine;
	const char *error;
	bool is_going = true;
	uint64_t started = 0;
	uint64_t hit = 0;

	*w = (struct world){.now_ns = 1000, .loss = loss};
	engine = engine_new(&options, &error);
	assert_non_null(engine);
	(void)engine_add_sink(engine, &sink, w);
	for (unsigned i = 0; i < CONNS; i++)
		plan(w, &w->peer[i], i, engine);
	while (is_going) {
		is_going = false;
		for (unsigned i = 0; i < CONNS; i++)
			for (uint32_t n = below(3); n > 0 && !w->peer[i].is_over; n--)
				w->peer[i].is_over = !play(w, &w->peer[i]);
		for (unsigned i = 0; i < CONNS; i++)
			is_going |= !w->peer[i].is_over;
	}
	for (unsigned i = 0; i < CONNS; i++) {
		for (unsigned j = 0; j < w->peer[i].count; j++) {
			started += w->peer[i].expected[j].begin_ns != 0;
			hit += w->peer[i].expected[j].is_affected &&
			       !w->peer[i].expected[j].is_reported;
		}
		text_release(&w->peer[i].stream[0]);
		text_release(&w->peer[i].stream[1]);
	}
	assert_int_equal(engine_stats(engine)->conns_open, 0);
	assert_int_equal(engine_stats(engine)->requests_open, 0);
	assert_int_equal(engine_stats(engine)->transactions, w->reported);
	/* Requests are counted or lost; those in lost records are not counted here. */
	assert_true(w->reported + wire_lost_count(engine) <= started);
	hit += engine_stats(engine)->responses_unpaired;
	if (w->reported + wire_lost_count(engine) + hit < started)
		fail_msg("sent %lu, counted %lu, lost %lu, by lost records or unpaired %lu",
			 started, w->reported, wire_lost_count(engine), hit);
	*sent += started;
	*reported += w->reported;
	*lost += wire_lost_count(engine);
	engine_free(engine);
}

static void test_all_is_reported(void **state)
{
	(void)state;
	random_state = 3;
	for (int round = 0; round < 60; round++) {
		uint64_t sent = 0;
		uint64_t reported = 0;
		uint64_t lost = 0;

		run(0, &sent, &reported, &lost);
		assert_int_equal(lost, 0);
		assert_int_equal(reported, sent);
	}
}

static void test_nothing_wrong_is_reported(void **state)
{
	static const uint32_t losses[] = {2, 5, 20, 100};
	uint64_t sent[4] = {0};
	uint64_t reported[4] = {0};
	uint64_t lost[4] = {0};

	(void)state;
	for (uint32_t seed = 31; seed <= 50; seed++) {
		random_state = seed;
		for (int i = 0; i < 120; i++)
			run(losses[i % 4], &sent[i % 4], &reported[i % 4], &lost[i % 4]);
	}
	for (int i = 0; i < 4; i++) {
		assert_true(reported[i] > 0);
		print_message("1 of %u records lost: of %lu requests, %lu reported, %lu lost\n",
			      losses[i], sent[i], reported[i], lost[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_reported),
		cmocka_unit_test(test_nothing_wrong_is_reported),
	};

	return cmocka_run_group_tests_name("engine loss", tests, NULL, NULL);
}
