/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export/lines: what strangers' bytes become, and what happens when nothing
 * can be written. The formats themselves are the business of tests/replay.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "export/lines.h"
#include "export/transaction_text.h"

static void test_escape(void **state)
{
	static const struct {
		const char *why;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{"visible ASCII stays", "GET /~a?b=\"c\" ", 14, "GET /~a?b=\"c\" "},
		{"nothing", "", 0, ""},
		{"control characters", "\x1b[2J\r\n\t", 7, "\\x1b[2J\\x0d\\x0a\\x09"},
		{"NUL does not end it", "a\0b", 3, "a\\x00b"},
		{"DEL, and C1 controls in UTF-8", "\x7f\xc2\x9b", 3, "\\x7f\\xc2\\x9b"},
		{"a backslash is distinct from an escape", "\\x41\\", 5, "\\\\x41\\\\"},
	};
	struct text t;

	(void)state;
	text_init(&t);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_clear(&t);
		transaction_text_escape(&t, (struct span){rows[i].in, rows[i].len});
		if (strcmp(t.ptr, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].why, t.ptr);
	}
	text_release(&t);
}

static const struct endpoint local = {.family = 6, .addr = {[15] = 1}, .port = 80};
static const struct endpoint remote = {.family = 4, .addr = {10, 0, 0, 1}, .port = 40001};

/* A request of whom nothing is known but that it failed. */
static struct transaction bare(void)
{
	return (struct transaction){.role = ROLE_CLIENT,
				    .conn_id = UINT64_MAX,
				    .local = &local,
				    .remote = &remote,
				    .http.method = {"G", 1},
				    .known_method = "_OTHER",
				    .route = "/",
				    .error = TXN_RESET,
				    .start_ns = 5,
				    .end_ns = 9000000000000005};
}

static void print(enum request_format format, int64_t offset_ns, int count, char **ret, size_t *len)
{
	FILE *out = open_memstream(ret, len);
	struct lines *l = lines_new(out, format, offset_ns);
	struct transaction t = bare();

	assert_non_null(l);
	while (count--)
		lines_sink.done(l, &t);
	assert_int_equal(lines_finish(l), 0);
	lines_free(l);
	assert_int_equal(fclose(out), 0);
}

static void test_unknown(void **state)
{
	char *text;
	size_t len;

	(void)state;
	print(FORMAT_NDJSON, 1000000000, 1, &text, &len);
	assert_string_equal(
		text,
		"{\"time\":\"1970-01-01T00:00:01.000000005Z\",\"role\":\"client\","
		"\"conn\":\"ffffffffffffffff\",\"client\":\"[::1]:80\","
		"\"server\":\"10.0.0.1:40001\",\"method\":\"G\",\"target\":null,"
		"\"route\":\"/\",\"version\":\"1.0\",\"status\":null,"
		"\"error\":\"connection_reset\",\"duration_ns\":9000000000000000,"
		"\"first_byte_ns\":null,\"request_bytes\":0,\"response_bytes\":0,"
		"\"probe\":false,\"stream\":null,\"rpc_status\":null,\"request_messages\":null,"
		"\"response_messages\":null,\"timeout_ns\":null}\n");
	free(text);
	print(FORMAT_TABLE, -1000000000, 1, &text, &len); /* before 1970: the clock is not set */
	assert_non_null(strstr(text, "\n00:00:00.000000  "));
	free(text);
}

static void test_array(void **state)
{
	char *text;
	size_t len;

	(void)state;
	print(FORMAT_JSON, 0, 0, &text, &len);
	assert_string_equal(text, "[]\n");
	free(text);
	print(FORMAT_JSON, 0, 2, &text, &len);
	assert_memory_equal(text, "[\n{", 3);
	assert_non_null(strstr(text, "},\n{"));
	assert_string_equal(text + len - 4, "}\n]\n");
	free(text);
}

/* Every line fits, a target that is cut ends with dots, and what is known of a request's ends goes
 * last. */
static void test_fit(void **state)
{
	static const struct {
		size_t columns;
		const char *titles;
	} rows[] = {
		{250, "TIME (UTC)       CLIENT           SERVER          METHOD  STATUS    DURATION"
		      "  FIRST BYTE  REQUEST  RESPONSE  TARGET"},
		{140, "TIME (UTC)       CLIENT           SERVER          METHOD  STATUS    DURATION"
		      "  REQUEST  RESPONSE  TARGET"},
		{120, "TIME (UTC)       CLIENT           SERVER          METHOD  STATUS    DURATION"
		      "  TARGET"},
		{100, "TIME (UTC)       CLIENT           METHOD  STATUS    DURATION  TARGET"},
		{80, "TIME (UTC)       METHOD  STATUS    DURATION  TARGET"},
		{40, "TIME (UTC)       METHOD  STATUS"},
		{5, "TIME (UTC)     "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text;
		size_t len;
		FILE *out = open_memstream(&text, &len);
		struct lines *l = lines_new(out, FORMAT_TABLE, 0);
		char target[100];
		struct transaction t = bare();
		size_t titles = strlen(rows[i].titles);

		memset(target, 'x', sizeof(target));
		t.http.target = (struct span){target, sizeof(target)};
		t.end_ns = 1000000;
		t.error = TXN_OK;
		assert_non_null(l);
		lines_fit(l, rows[i].columns, false);
		lines_sink.done(l, &t);
		assert_int_equal(lines_finish(l), 0);
		lines_free(l);
		assert_int_equal(fclose(out), 0);
		assert_memory_equal(text, rows[i].titles, titles);
		assert_int_equal(text[titles], '\n');
		len -= titles + 2;
		assert_true(len <= rows[i].columns || rows[i].columns < 16);
		if (rows[i].columns < 200 && strstr(rows[i].titles, "TARGET"))
			assert_memory_equal(text + titles + 1 + len - 3, "...", 3);
		free(text);
	}
}

static void test_full(void **state)
{
	FILE *out = fopen("/dev/full", "we");
	struct lines *l = lines_new(out, FORMAT_TABLE, 0);
	struct transaction t = bare();

	(void)state;
	assert_non_null(out);
	assert_non_null(l);
	lines_sink.done(l, &t);
	assert_int_equal(lines_finish(l), -ENOSPC);
	lines_free(l);
	(void)fclose(out); /* full, as before */
}

/* A query may hold a secret: it is written only when it is asked for. */
static void test_query(void **state)
{
	static const enum request_format formats[] = {FORMAT_TABLE, FORMAT_NDJSON, FORMAT_JSON};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(formats) / sizeof(formats[0]); i++) {
		struct transaction t = bare();
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		struct lines *l = lines_new(out, formats[i / 2], 0);

		assert_non_null(l);
		t.http.target = span_of("/a?token=s3cret");
		if (i % 2)
			lines_show_query(l);
		lines_sink.done(l, &t);
		assert_int_equal(lines_finish(l), 0);
		lines_free(l);
		(void)fclose(out);
		assert_non_null(strstr(text, "/a"));
		assert_int_equal(strstr(text, "?token=s3cret") != NULL, i % 2);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),	cmocka_unit_test(test_escape),
		cmocka_unit_test(test_unknown), cmocka_unit_test(test_array),
		cmocka_unit_test(test_fit),	cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
