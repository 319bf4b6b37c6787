/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions let through what they say; and a recorded request is one line that any parser reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <errno.h>

#include "export/record_line.h"
#include "export/request_filter.h"

#define MS UINT64_C(1000000)

static const struct trace_context trace = {
	.trace_id = {[8] = 0x84, 0x48, [15] = 0x9c}, .span_id = {[7] = 0xb7}, .is_sampled = true};

/* Its trace shows if has_trace is set. */
static struct record sample(void)
{
	struct record e = {.number = 1,
			   .start_ns = 1000 * MS,
			   .end_ns = 1100 * MS,
			   .first_byte_ns = 1040 * MS,
			   .known_method = "GET",
			   .route = "/users/{id}",
			   .server_address = "",
			   .local = {.family = 4, .addr = {10, 0, 0, 1}, .port = 80},
			   .remote = {.family = 4, .addr = {10, 1, 2, 3}, .port = 40000},
			   .status = 503,
			   .role = ROLE_SERVER,
			   .version = HTTP_1_1,
			   .method_len = 3};

	memcpy(e.text, "GET/users/7?a=b", 15);
	memcpy(e.text + sizeof(e.text) - sizeof(trace), &trace, sizeof(trace));
	e.target_len = 12;
	return e;
}

static void test_conditions(void **state)
{
	static const struct {
		const char *why;
		const char *key;
		const char *value;
		bool want;
	} rows[] = {
		{"the class of a status", "status", "5xx", true},
		{"another class", "status", "4xx", false},
		{"one of a list", "status", "404,503", true},
		{"in any case", "status", "5XX", true},
		{"none of a list", "status", "404,500", false},
		{"an error of any kind", "status", "error", true},
		{"it has a status", "status", "none", false},
		{"a status of gRPC is none of HTTP", "status", "UNAVAILABLE", false},
		{"as long as that", "min-duration", "100ms", true},
		{"not so long", "min-duration", "101ms", false},
		{"a route", "route", "/users/{id}", true},
		{"a route is not its beginning", "route", "/users", false},
		{"a pattern", "route", "/u*", true},
		{"a pattern in the middle", "route", "*sers*d}", true},
		{"a list of patterns", "route", "/a,/b*,*}", true},
		{"a pattern that fits nowhere", "route", "*x*", false},
		{"everything", "route", "*", true},
		{"nothing", "route", "", false},
		{"a method", "method", "get", true},
		{"another method", "method", "POST,PUT", false},
		{"no call of gRPC", "method", "grpc", false},
		{"a peer", "peer", "10.1.2.3", true},
		{"a peer with its port", "peer", "10.1.2.3:40000", true},
		{"another port", "peer", "10.1.2.3:1", false},
		{"a network", "peer", "10.1.*", true},
		{"the other end is not the peer", "peer", "10.0.0.1", false},
		{"a container", "container", "web", true},
		{"another container", "container", "db", false},
	};
	const struct record e = sample();
	struct text error;

	(void)state;
	text_init(&error);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request_filter f = {0};

		assert_int_equal(request_filter_set(&f, rows[i].key, rows[i].value, &error), 0);
		if (request_filter_matches(&f, &e, "web", 0) != rows[i].want)
			fail_msg("%s: %s=%s", rows[i].why, rows[i].key, rows[i].value);
	}
	assert_int_equal(error.len, 0);
}

static void test_grpc(void **state)
{
	struct record e = sample();
	struct text error;
	struct request_filter f = {0};

	(void)state;
	text_init(&error);
	e.protocol = TXN_GRPC;
	e.status = 200;
	e.grpc_status = 14;
	assert_int_equal(request_filter_set(&f, "status", "unavailable,NOT_FOUND", &error), 0);
	assert_int_equal(request_filter_set(&f, "method", "grpc", &error), 0);
	assert_true(request_filter_matches(&f, &e, "", 0));
	e.grpc_status = 0;
	assert_false(request_filter_matches(&f, &e, "", 0));
}

static void test_trace(void **state)
{
	static const struct {
		const char *id;
		bool want;
	} rows[] = {
		{"0000000000000000844800000000009c", true},
		{"844800000000009c", true},
		{"844800000000009C", true},
		{"844800000000009d", false},
		{"1000000000000000844800000000009c", false},
	};
	struct record e = sample();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request_filter f = {0};
		struct text error;

		text_init(&error);
		assert_int_equal(request_filter_set(&f, "trace-id", rows[i].id, &error), 0);
		e.has_trace = true;
		assert_int_equal(request_filter_matches(&f, &e, "", 0), rows[i].want);
		e.has_trace = false;
		assert_false(request_filter_matches(&f, &e, "", 0));
	}
}

static void test_all_must_hold(void **state)
{
	const struct record e = sample();
	struct request_filter f = {0};
	struct text error;

	(void)state;
	text_init(&error);
	assert_true(request_filter_matches(&f, &e, "", 1100 * MS));
	assert_false(request_filter_matches(&f, &e, "", 1100 * MS + 1));
	assert_int_equal(request_filter_set(&f, "status", "503", &error), 0);
	assert_int_equal(request_filter_set(&f, "route", "/other", &error), 0);
	assert_false(request_filter_matches(&f, &e, "", 0));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *key;
		const char *value;
		int want;
	} rows[] = {
		{"status", "6", -EINVAL},
		{"status", "", -EINVAL},
		{"status", "4xx,", -EINVAL},
		{"status", "xxx", -EINVAL},
		{"status", "5x", -EINVAL},
		{"status", "1,2,3", -EINVAL},
		{"status", "0xx", -EINVAL},
		{"min-duration", "slow", -EINVAL},
		{"last", "yesterday", -EINVAL},
		{"count", "-1", -EINVAL},
		{"trace-id", "", -EINVAL},
		{"trace-id", "0af7", -EINVAL},
		{"trace-id", "00000000000000000000000000000000", -EINVAL},
		{"trace-id", "0af7651916cd43dd8448eb211c80319x", -EINVAL},
		{"cookie", "a=b", -ENOENT},
		{"", "", -ENOENT},
		{"status", "100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116",
		 -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request_filter f = {0};
		struct text error;

		text_init(&error);
		assert_int_equal(request_filter_set(&f, rows[i].key, rows[i].value, &error),
				 rows[i].want);
		assert_int_equal(error.len != 0, rows[i].want == -EINVAL);
		text_release(&error);
	}
}

static char *line_of(const struct record *e, bool has_query)
{
	struct text out;

	text_init(&out);
	record_line_add(&out, e,
			&(struct record_line){.container = "web",
					      .offset_ns = 1700000000000 * (int64_t)MS,
					      .has_query = has_query,
					      .round_trip_us = has_query ? 70 : 0});
	assert_false(out.has_failed);
	return out.ptr;
}

static void test_line(void **state)
{
	static const char want[] =
		"{\"time\":\"2023-11-14T22:13:21.000000000Z\",\"role\":\"server\",\"conn\":\"0\","
		"\"client\":\"10.1.2.3:40000\",\"server\":\"10.0.0.1:80\",\"method\":\"GET\","
		"\"target\":\"/users/7\",\"route\":\"/users/{id}\",\"version\":\"1.1\","
		"\"status\":503,\"error\":null,\"duration_ns\":100000000,"
		"\"first_byte_ns\":40000000,\"request_bytes\":0,\"response_bytes\":0,"
		"\"probe\":false,\"stream\":null,\"rpc_status\":null,\"request_messages\":null,"
		"\"response_messages\":null,\"timeout_ns\":null,\"receive_ns\":null,"
		"\"wait_ns\":null,\"program_ns\":null,\"send_ns\":60000000,"
		"\"round_trip_ns\":null,\"container\":\"web\","
		"\"process\":null,\"thread\":null,\"is_cut\":false}\n";
	struct record e = sample();
	char *line = line_of(&e, false);

	(void)state;
	assert_string_equal(line, want);
	free(line);
	line = line_of(&e, true);
	assert_non_null(strstr(line, "\"target\":\"/users/7?a=b\""));
	assert_non_null(strstr(line, "\"round_trip_ns\":70000,"));
	free(line);
	e.request_end_ns = e.start_ns + 10 * MS;
	line = line_of(&e, false);
	assert_non_null(strstr(line, "\"receive_ns\":10000000,\"wait_ns\":null,"
				     "\"program_ns\":30000000,\"send_ns\":60000000,"));
	free(line);
	e.read_ns = e.start_ns + 30 * MS;
	line = line_of(&e, false);
	assert_non_null(strstr(line, "\"receive_ns\":10000000,\"wait_ns\":20000000,"
				     "\"program_ns\":10000000,\"send_ns\":60000000,"));
	free(line);
	e.has_trace = true;
	line = line_of(&e, false);
	assert_non_null(strstr(line, "\"trace_id\":\"0000000000000000844800000000009c\","
				     "\"span_id\":\"00000000000000b7\","));
	free(line);
	e.target_len = 0;
	e.first_byte_ns = 0;
	e.status = 0;
	e.error = TXN_RESET;
	line = line_of(&e, false);
	assert_non_null(strstr(line, "\"target\":null"));
	assert_non_null(strstr(line, "\"status\":null,\"error\":\"connection_reset\""));
	assert_non_null(strstr(line, "\"first_byte_ns\":null"));
	assert_non_null(strstr(line, "\"program_ns\":null,\"send_ns\":null"));
	free(line);
}

/* Every byte that a stranger can send, in the text that he chooses. */
static void test_hostile_bytes(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		struct record e = sample();
		char want[16];
		char *line;
		cJSON *o;

		e.text[4] = (char)c;
		line = line_of(&e, true);
		for (const char *at = line; at[1]; at++)
			assert_true(*at >= ' ' && *at <= '~');
		o = cJSON_Parse(line);
		assert_non_null(o);
		if (c == '\\')
			(void)snprintf(want, sizeof(want), "/\\\\");
		else if (c >= ' ' && c <= '~')
			(void)snprintf(want, sizeof(want), "/%c", c);
		else
			(void)snprintf(want, sizeof(want), "/\\x%02x", c);
		assert_memory_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "target")), want,
				    strlen(want));
		cJSON_Delete(o);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),    cmocka_unit_test(test_grpc),
		cmocka_unit_test(test_trace),	      cmocka_unit_test(test_all_must_hold),
		cmocka_unit_test(test_refusals),      cmocka_unit_test(test_line),
		cmocka_unit_test(test_hostile_bytes),
	};

	return cmocka_run_group_tests_name("request_filter", tests, NULL, NULL);
}
