/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles keep their promise, rows their cap, and the table its shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "export/table.h"
#include "metrics/summary.h"

static const char get[] = "GET";
static const char post[] = "POST";
static const char users[] = "/users/{id}";
static const char root[] = "/";

static void done(struct summary *s, enum role role, const char *method, const char *route,
		 uint16_t status, enum txn_error error, uint64_t ns)
{
	const struct transaction t = {
		.role = role,
		.known_method = method,
		.route = route,
		.http.status = status,
		.error = error,
		.start_ns = 1000000000,
		.end_ns = 1000000000 + ns,
	};

	summary_sink.done(s, &t);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Against sorted values, over eleven decades. */
static void test_quantiles(void **state)
{
	static const double shares[] = {0, .01, .5, .9, .99, .999, 1};
	static struct latency l;
	static uint64_t values[10000];
	const size_t n = sizeof(values) / sizeof(values[0]);

	(void)state;
	srandom(7);
	for (size_t i = 0; i < n; i++) {
		unsigned bits = (unsigned)random() % 41;

		values[i] = ((uint64_t)random() << 31 ^ (uint64_t)random()) >> (61 - bits);
		latency_add(&l, values[i]);
	}
	qsort(values, n, sizeof(values[0]), compare);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		size_t rank = (size_t)(shares[i] * (double)n + .999999);
		uint64_t want = values[rank > 0 ? rank - 1 : 0];
		double got = (double)latency_quantile(&l, shares[i]);

		if (got < (double)want * .98 || got > (double)want * 1.02)
			fail_msg("quantile %g: %g, not %g", shares[i], got, (double)want);
	}
	assert_int_equal(l.max_ns, values[n - 1]);
}

static void test_latency_edges(void **state)
{
	struct latency l = {0};

	(void)state;
	assert_int_equal(latency_quantile(&l, .5), 0);
	/* Every power of two and its neighbours have a bucket of their own order. */
	for (unsigned bits = 1; bits < 64; bits++) {
		uint64_t ns = UINT64_C(1) << bits;

		assert_true(latency_bucket(ns - 1) <= latency_bucket(ns));
		assert_true(latency_bucket(ns + 1) < LATENCY_BUCKETS);
	}
	latency_add(&l, UINT64_MAX);
	assert_true(latency_quantile(&l, .5) > UINT64_C(1) << 41);
	assert_true(l.max_ns == UINT64_MAX);
}

static void test_rows(void **state)
{
	struct summary *s = summary_new(10, SUMMARY_BY_ROUTE);
	const struct summary_row *row;

	(void)state;
	done(s, ROLE_SERVER, get, root, 200, TXN_OK, 1000);
	for (int i = 0; i < 3; i++)
		done(s, ROLE_SERVER, get, users, 200, TXN_OK, 2000);
	done(s, ROLE_SERVER, get, users, 503, TXN_OK, 2000);
	done(s, ROLE_SERVER, get, users, 404, TXN_OK, 2000);
	done(s, ROLE_SERVER, get, users, 0, TXN_RESET, 2000);
	done(s, ROLE_CLIENT, get, users, 404, TXN_OK, 2000);
	done(s, ROLE_SERVER, post, root, 201, TXN_OK, 2000);
	done(s, ROLE_SERVER, post, root, 201, TXN_OK, 2000);

	assert_int_equal(summary_row_count(s), 4);
	row = summary_row(s, 0);
	assert_ptr_equal(row->key.route, users);
	assert_int_equal(row->key.role, ROLE_SERVER);
	assert_int_equal(row->latency.count, 6);
	assert_int_equal(row->errors, 2); /* 503 and the reset; 404 is the client's fault */
	assert_int_equal(row->failed[TXN_RESET], 1);
	assert_int_equal(row->status[0].status, 200);
	assert_int_equal(row->status[0].count, 3);
	assert_ptr_equal(summary_row(s, 1)->key.method, post);
	for (size_t i = 0; i < 4; i++)
		if (summary_row(s, i)->key.role == ROLE_CLIENT)
			assert_int_equal(summary_row(s, i)->errors, 1); /* for a client it is one */
	assert_int_equal(summary_elapsed_ns(s), 2000);
	summary_free(s);
}

static void test_row_cap(void **state)
{
	static char routes[500][8];
	struct summary *s = summary_new(20, SUMMARY_BY_ROUTE);
	uint64_t total = 0;
	const struct summary_row *row;

	(void)state;
	for (int i = 0; i < 500; i++) {
		(void)snprintf(routes[i], sizeof(routes[i]), "/%d", i);
		done(s, ROLE_SERVER, get, routes[i], 200, TXN_OK, 1000);
		done(s, ROLE_CLIENT, get, routes[i], (uint16_t)(200 + i), TXN_OK, 1000);
	}
	assert_int_equal(summary_row_count(s), 22);
	for (size_t i = 0; i < 22; i++)
		total += summary_row(s, i)->latency.count;
	assert_int_equal(total, 1000);
	row = summary_row(s, 0);
	assert_string_equal(row->key.method, "_OTHER");
	assert_string_equal(row->key.route, "_OTHER");
	assert_int_equal(row->latency.count, 490);
	row = summary_row(s, summary_row(s, 1)->key.role == ROLE_CLIENT ? 1 : 0);
	assert_int_equal(row->status_other, 490 - SUMMARY_STATUSES);
	summary_free(s);
}

static void test_table(void **state)
{
	static const char evil[] = "/\x1b[31m\xc3\xa9\n";
	struct summary *s = summary_new(10, SUMMARY_BY_ROUTE);
	struct text out;

	(void)state;
	text_init(&out);
	table_add(&out, s, 0, 0);
	assert_string_equal(out.ptr, " no HTTP requests seen\n");
	text_clear(&out);

	for (int i = 0; i < 75000; i++)
		done(s, ROLE_SERVER, get, users, 200, TXN_OK, i < 74000 ? 120000 : 15200000);
	for (int i = 0; i < 1500; i++)
		done(s, ROLE_SERVER, get, users, 502, TXN_OK, 1210000);
	done(s, ROLE_SERVER, post, evil, 0, TXN_CLOSED, 2500000000);
	done(s, ROLE_CLIENT, get, root, 200, TXN_OK, 40);
	table_add(&out, s, 10000000000, 0);
	assert_string_equal(
		out.ptr,
		" 76,501 requests served in 10.0 s: 7,650.1/s, 2.0 % errors\n"
		"\n"
		"   method  route        requests   rate/s   errors     p50     p90      p99      "
		"max  statuses\n"
		"   GET     /users/{id}    76,500  7,650.0    2.0 %  120 us  120 us  15.1 ms  "
		"15.2 ms  200:75000 502:1500\n"
		"   POST    /?[31m???           1      0.1  100.0 %  2.50 s  2.50 s   2.50 s   "
		"2.50 s  connection_closed:1\n"
		"\n"
		" 1 request made in 10.0 s: 0.1/s, 0.0 % errors\n"
		"\n"
		"   method  route  requests  rate/s  errors    p50    p90    p99    max  statuses\n"
		"   GET     /             1     0.1   0.0 %  40 ns  40 ns  40 ns  40 ns  200:1\n");
	text_release(&out);
	summary_free(s);
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} rows[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1.00 us"},
		{9994, "9.99 us"},
		{9995, "10.0 us"},
		{99949, "99.9 us"},
		{99950, "100 us"},
		{999499, "999 us"},
		{1000000, "1.00 ms"},
		{15200000, "15.2 ms"},
		{1000000000, "1.00 s"},
		{73000000000, "73.0 s"},
		{4000000000000, "4000 s"},
	};
	struct text out;

	(void)state;
	text_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_clear(&out);
		table_add_duration(&out, rows[i].ns);
		assert_string_equal(out.ptr, rows[i].want);
	}
	text_release(&out);
}

/* The longest line of a table that has so many columns. */
static size_t longest_line(struct summary *s, size_t columns, struct text *out)
{
	size_t longest = 0;

	text_clear(out);
	table_add(out, s, 10000000000, columns);
	for (const char *at = out->ptr; *at;) {
		const char *end = strchr(at, '\n');

		assert_non_null(end);
		if ((size_t)(end - at) > longest)
			longest = (size_t)(end - at);
		at = end + 1;
	}
	return longest;
}

static void test_table_fits(void **state)
{
	static const char route[] = "/a/very/long/route/with/many/parts/{id}/of/which/all/differ";
	struct summary *s = summary_new(10, SUMMARY_BY_ROUTE);
	struct text out;

	(void)state;
	text_init(&out);
	for (uint16_t status = 200; status < 208; status++)
		done(s, ROLE_SERVER, get, route, status, TXN_OK, 1210000);
	assert_true(longest_line(s, 0, &out) > 160);
	assert_non_null(strstr(out.ptr, route));
	for (size_t columns = 60; columns < 160; columns++)
		assert_true(longest_line(s, columns, &out) <= columns);
	(void)longest_line(s, 80, &out);
	assert_non_null(strstr(out.ptr,
			       "   method  route             requests  errors      p50      "
			       "p99  statuses\n"
			       "   GET     /a/very/long/...         8   0.0 %  "));
	(void)longest_line(s, 120, &out);
	assert_non_null(strstr(out.ptr, "  rate/s  "));
	text_release(&out);
	summary_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles), cmocka_unit_test(test_latency_edges),
		cmocka_unit_test(test_rows),	  cmocka_unit_test(test_row_cap),
		cmocka_unit_test(test_table),	  cmocka_unit_test(test_table_fits),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
