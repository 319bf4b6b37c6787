/* SPDX-License-Identifier: Apache-2.0 */
/* The fields and messages of gRPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/grpc.h"

static void test_status(void **state)
{
	static const struct {
		const char *value;
		const char *want;
		bool is_server_error;
	} rows[] = {
		{"0", "OK", false},
		{"1", "CANCELLED", false},
		{"2", "UNKNOWN", true},
		{"3", "INVALID_ARGUMENT", false},
		{"4", "DEADLINE_EXCEEDED", true},
		{"5", "NOT_FOUND", false},
		{"6", "ALREADY_EXISTS", false},
		{"7", "PERMISSION_DENIED", false},
		{"8", "RESOURCE_EXHAUSTED", false},
		{"9", "FAILED_PRECONDITION", false},
		{"10", "ABORTED", false},
		{"11", "OUT_OF_RANGE", false},
		{"12", "UNIMPLEMENTED", true},
		{"13", "INTERNAL", true},
		{"14", "UNAVAILABLE", true},
		{"15", "DATA_LOSS", true},
		{"16", "UNAUTHENTICATED", false},
		{"17", "17", false},
		{"9998", "9998", false},
		{"9999", "UNKNOWN", true},
		{"99999999999", "UNKNOWN", true},
		{"-1", "UNKNOWN", true},
		{"", "UNKNOWN", true},
		{"OK", "UNKNOWN", true},
	};
	char buf[GRPC_STATUS_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned status = grpc_status_parse(span_of(rows[i].value));

		assert_string_equal(grpc_status_name(status, buf), rows[i].want);
		assert_int_equal(grpc_is_server_error(status), rows[i].is_server_error);
	}
	assert_string_equal(grpc_status_name(GRPC_STATUS_HIDDEN, buf), "unknown");
	assert_string_equal(grpc_status_name(GRPC_STATUS_NONE, buf), "");
}

/* The tables of http-grpc-status-mapping.md and PROTOCOL-HTTP2.md. */
static void test_mapped(void **state)
{
	static const struct {
		unsigned http;
		const char *want;
	} by_http[] = {
		{400, "INTERNAL"},	{401, "UNAUTHENTICATED"}, {403, "PERMISSION_DENIED"},
		{404, "UNIMPLEMENTED"}, {429, "UNAVAILABLE"},	  {502, "UNAVAILABLE"},
		{503, "UNAVAILABLE"},	{504, "UNAVAILABLE"},	  {200, "UNKNOWN"},
		{500, "UNKNOWN"},	{0, "UNKNOWN"},
	};
	static const struct {
		uint32_t code;
		const char *want;
	} by_reset[] = {
		{0, "INTERNAL"},	   {1, "INTERNAL"},
		{2, "INTERNAL"},	   {3, "INTERNAL"},
		{6, "INTERNAL"},	   {7, "UNAVAILABLE"},
		{8, "CANCELLED"},	   {9, "INTERNAL"},
		{10, "INTERNAL"},	   {11, "RESOURCE_EXHAUSTED"},
		{12, "PERMISSION_DENIED"}, {14, "UNKNOWN"},
		{UINT32_MAX, "UNKNOWN"},
	};
	char buf[GRPC_STATUS_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(by_http) / sizeof(*by_http); i++)
		assert_string_equal(grpc_status_name(grpc_status_of_http(by_http[i].http), buf),
				    by_http[i].want);
	for (size_t i = 0; i < sizeof(by_reset) / sizeof(*by_reset); i++)
		assert_string_equal(grpc_status_name(grpc_status_of_reset(by_reset[i].code), buf),
				    by_reset[i].want);
}

static void test_content_type(void **state)
{
	static const struct {
		const char *value;
		bool is_grpc;
		bool is_web;
	} rows[] = {
		{"application/grpc", true, false},
		{"application/grpc+proto", true, false},
		{"application/grpc;charset=utf-8", true, false},
		{"Application/GRPC", true, false},
		{"application/grpcx", false, false},
		{"application/grp", false, false},
		{"application/grpc-web", false, true},
		{"application/grpc-web+proto", false, true},
		{"application/grpc-web-text", false, true},
		{"application/json", false, false},
		{"", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(grpc_is_content_type(span_of(rows[i].value)), rows[i].is_grpc);
		assert_int_equal(grpc_is_web_content_type(span_of(rows[i].value)), rows[i].is_web);
	}
}

static void test_timeout(void **state)
{
	static const struct {
		const char *value;
		uint64_t want;
	} rows[] = {
		{"1H", 3600000000000},
		{"2M", 120000000000},
		{"3S", 3000000000},
		{"4m", 4000000},
		{"5u", 5000},
		{"6n", 6},
		{"99999999n", 99999999},
		{"999999999n", 0},
		{"1", 0},
		{"m", 0},
		{"", 0},
		{"1x", 0},
		{"-1m", 0},
		{"0m", 0},
		{"99999999H", 99999999ull * 3600 * 1000000000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(grpc_timeout_ns(span_of(rows[i].value)), rows[i].want);
}

static void test_messages(void **state)
{
	static const struct {
		const char *why;
		const char *data;
		size_t len;
		uint64_t skip;
		const char *more;
		size_t more_len;
		unsigned count;
		bool is_whole;
		bool is_lost;
	} rows[] = {
		{"none", "", 0, 0, "", 0, 0, false, false},
		{"an empty one", "\0\0\0\0\0", 5, 0, "", 0, 1, true, false},
		{"empty ones only, as zeros look", "\0\0\0\0\0\0\0\0\0\0", 10, 0, "", 0, 2, false,
		 false},
		{"two, one compressed", "\0\0\0\0\1x\1\0\0\0\2yz", 13, 0, "", 0, 2, true, false},
		{"a part of a prefix", "\0\0\0\0\1x\0\0", 8, 0, "", 0, 1, false, false},
		{"not all of it", "\0\0\0\0\3xy", 7, 0, "", 0, 1, false, false},
		{"what is skipped is counted off", "\0\0\0\1\0xy", 7, 254, "\0\0\0\0\1x", 6, 2,
		 true, false},
		{"skipped bytes may contain message prefixes", "\0\0\0\0\3xy", 7, 2, "", 0, 1,
		 false, true},
		{"no message has such a flag", "{\"a\":1}", 7, 0, "", 0, 0, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t segment = 1; segment < 20; segment++) {
			struct grpc_messages m = {0};

			for (size_t at = 0; at < rows[i].len; at += segment)
				grpc_messages_data(&m, (struct span){rows[i].data + at,
								     rows[i].len - at < segment
									     ? rows[i].len - at
									     : segment});
			if (rows[i].skip)
				grpc_messages_skip(&m, rows[i].skip);
			grpc_messages_data(&m, (struct span){rows[i].more, rows[i].more_len});
			if (m.count != rows[i].count || m.is_lost != rows[i].is_lost ||
			    grpc_messages_are_whole(&m) != rows[i].is_whole)
				fail_msg("%s: %u messages", rows[i].why, m.count);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	     cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_content_type), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}
