/* SPDX-License-Identifier: Apache-2.0 */
#include "base/value.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#define BAD UINT64_MAX

struct row {
	const char *input;
	uint64_t want; /* BAD: refused */
};

static void check_rows(int (*read)(const char *, uint64_t *), const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t got = 42;
		int err = read(rows[i].input, &got);
		uint64_t want = rows[i].want == BAD ? 42 : rows[i].want;

		if (err != (rows[i].want == BAD ? -EINVAL : 0) || got != want)
			fail_msg("\"%s\": %d, %llu", rows[i].input, err, (unsigned long long)got);
	}
}

#define CHECK_ROWS(read, rows) check_rows(read, rows, sizeof(rows) / sizeof(rows[0]))

static void test_number(void **state)
{
	static const struct row rows[] = {
		{"0", 0},
		{"007", 7},
		{"18446744073709551614", BAD - 1},
		{"18446744073709551616", BAD},
		{"", BAD},
		{"-1", BAD},
		{"+1", BAD},
		{" 1", BAD},
		{"1 ", BAD},
		{"0x10", BAD},
		{"1.5", BAD},
	};

	(void)state;
	CHECK_ROWS(value_number, rows);
}

static void test_bytes(void **state)
{
	static const struct row rows[] = {
		{"4096", 4096},	   {"1k", 1024}, {"2M", 2u << 20}, {"2MiB", 2u << 20},
		{"1gb", 1u << 30}, {"5B", 5},	 {"2X", BAD},	   {"2Mi", BAD},
		{"M", BAD},	   {"2 M", BAD}, {"1.5M", BAD},	   {"99999999999999G", BAD},
	};

	(void)state;
	CHECK_ROWS(value_bytes, rows);
}

static void test_duration(void **state)
{
	static const struct row rows[] = {
		{"15", 15000},	   {"0.5", 500},   {"1.0005", 1000},
		{"500ms", 500},	   {"15s", 15000}, {"2m", 120000},
		{"1.5h", 5400000}, {"0", 0},	   {"1.", BAD},
		{".5", BAD},	   {"5 s", BAD},   {"5d", BAD},
		{"", BAD},	   {"-5", BAD},	   {"99999999999999999h", BAD},
	};

	(void)state;
	CHECK_ROWS(value_duration, rows);
}

static void test_words(void **state)
{
	bool b = false;
	int n = -7;

	(void)state;
	assert_true(value_bool("Yes", &b) == 0 && b);
	assert_true(value_bool("0", &b) == 0 && !b);
	assert_int_equal(value_bool("", &b), -EINVAL);
	assert_int_equal(value_bool("maybe", &b), -EINVAL);
	assert_true(value_word("keep", "delete|keep", &n) == 0 && n == 1);
	assert_int_equal(value_word("kee", "delete|keep", &n), -EINVAL);
	assert_int_equal(value_word("", "delete|keep", &n), -EINVAL);
	assert_int_equal(value_word("delete|keep", "delete|keep", &n), -EINVAL);
	assert_int_equal(n, 1);
}

static void test_address(void **state)
{
	static const struct {
		const char *input;
		bool want;
	} rows[] = {
		{":9465", true},    {"0.0.0.0:0", true}, {"localhost:65535", true},
		{"[::1]:80", true}, {"[::]:80", true},	 {"9465", false},
		{"host", false},    {"host:", false},	 {"host:65536", false},
		{"::1:80", false},  {"[::1]", false},	 {"[]:80", false},
		{"[x]:80", false},  {"a b:80", false},	 {"http://a:80", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (value_is_address(rows[i].input) != rows[i].want)
			fail_msg("\"%s\"", rows[i].input);
}

static void test_url(void **state)
{
	static const struct {
		const char *input;
		bool want;
	} rows[] = {
		{"http://gw:9091", true},
		{"HTTPS://gw/base/path", true},
		{"http://[::1]:9091", true},
		{"gw:9091", false},
		{"http://", false},
		{"http:///x", false},
		{"http://:80", false},
		{"ftp://gw", false},
		{"http://g w", false},
		{"http://gw\n", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (value_is_url(rows[i].input) != rows[i].want)
			fail_msg("\"%s\"", rows[i].input);
}

static void test_listed(void **state)
{
	static const struct {
		const char *list;
		const char *str;
		bool want;
	} rows[] = {
		{"web", "web", true},
		{"web,api", "api", true},
		{"web , api ", "web", true},
		{"web ,\tapi ", "api", true},
		{"webs,api", "web", false},
		{"we,b", "web", false},
		{"web x,api", "web", false},
		{"", "web", false},
		{"", "", false},
		{",", "", false},
		{",,web", "web", true},
		{",", ",", false},
		{"web,", "web", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (value_is_listed(rows[i].list, rows[i].str) != rows[i].want)
			fail_msg("\"%s\" in \"%s\"", rows[i].str, rows[i].list);
}

static void test_round_up(void **state)
{
	(void)state;
	assert_int_equal(value_round_up(0), 1);
	assert_int_equal(value_round_up(1), 1);
	assert_int_equal(value_round_up(2), 2);
	assert_int_equal(value_round_up(4097), 8192);
	assert_int_equal(value_round_up(1ull << 63), 1ull << 63);
}

static void test_distance(void **state)
{
	char word[64];
	struct span wide = {word, sizeof(word)};

	(void)state;
	assert_int_equal(value_distance(span_of("push"), span_of("push")), 0);
	assert_int_equal(value_distance(span_of("psuh"), span_of("push")), 2);
	assert_int_equal(value_distance(span_of("routs"), span_of("routes")), 1);
	assert_int_equal(value_distance(span_of(""), span_of("abc")), 3);
	assert_int_equal(value_distance(wide, span_of("abc")), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),	 cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_duration), cmocka_unit_test(test_words),
		cmocka_unit_test(test_address),	 cmocka_unit_test(test_url),
		cmocka_unit_test(test_round_up), cmocka_unit_test(test_distance),
		cmocka_unit_test(test_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
