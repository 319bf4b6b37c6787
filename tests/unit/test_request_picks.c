/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields in every format, and columns that somebody chose. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "export/request_writer.h"

/* A line with header fields, as header_text.h has them. */
static const char with_headers[] =
	"{\"time\":\"2026-01-02T03:04:05.000000006Z\",\"server\":\"10.0.0.1:80\",\"method\":"
	"\"GET\","
	"\"target\":\"/a\",\"status\":200,\"duration_ns\":1500000,\"first_byte_ns\":500000,"
	"\"request_headers\":[{\"name\":\"X-One\",\"value\":\"=1+1\"},"
	"{\"name\":\"via\",\"value\":\"a\"},{\"name\":\"Via\",\"value\":\"b\"}],"
	"\"response_headers\":[{\"name\":\"Content-Type\",\"value\":\"text/x\"}],"
	"\"request_trailers\":null,"
	"\"response_trailers\":[{\"name\":\"x-sum\",\"value\":\"7\"}],"
	"\"weight\":16,\"headers_cut\":true}";

static char *write_one(enum request_format format, const char *fields)
{
	struct request_picks picks = {0};
	struct text error;
	char *made = NULL;
	size_t len;
	FILE *out = open_memstream(&made, &len);
	struct request_writer *w = request_writer_new(out, format, false);

	text_init(&error);
	assert_non_null(w);
	if (fields && request_picks_parse(&picks, fields, &error))
		fail_msg("%s", error.ptr);
	if (fields)
		request_writer_pick(w, &picks);
	else
		request_writer_show_headers(w);
	assert_int_equal(request_writer_add(w, span_of(with_headers)), 0);
	assert_int_equal(request_writer_finish(w), 0);
	request_writer_free(w);
	assert_int_equal(fclose(out), 0);
	text_release(&error);
	return made;
}

static void test_headers(void **state)
{
	static const char rows[] = "\n    > X-One: =1+1\n    > via: a\n    > Via: b\n"
				   "    < Content-Type: text/x\n    < x-sum: 7\n"
				   "    (some of its header fields are missing, or cut)\n";
	char *made = write_one(FORMAT_TABLE, NULL);

	(void)state;
	assert_non_null(strstr(made, rows));
	free(made);
	made = write_one(FORMAT_CSV, NULL);
	assert_non_null(strstr(made, ",is_cut,request_headers,response_headers,request_trailers,"
				     "response_trailers,weight,headers_cut\r\n"));
	assert_non_null(strstr(made, ",X-One: =1+1 | via: a | Via: b,Content-Type: text/x,,"
				     "x-sum: 7,16,true\r\n"));
	free(made);
	made = write_one(FORMAT_HAR, NULL);
	assert_non_null(strstr(made, "\"headers\":[{\"name\":\"X-One\",\"value\":\"=1+1\"},"));
	assert_non_null(strstr(made, "\"mimeType\":\"text/x\""));
	assert_non_null(strstr(made, "\"_weight\":16,\"_response_trailers\":[{\"name\":\"x-sum\","
				     "\"value\":\"7\"}]"));
	free(made);
}

static void test_picked(void **state)
{
	static const char fields[] = "status,header:x-one,header:VIA,response-header:x-sum,"
				     "header:x-no,duration_ns,route";
	static const struct {
		enum request_format format;
		const char *want;
	} rows[] = {
		{FORMAT_CSV, "status,header:x-one,header:VIA,response-header:x-sum,header:x-no,"
			     "duration_ns,route\r\n200,\"'=1+1\",\"a, b\",7,,1500000,\r\n"},
		{FORMAT_NDJSON, "{\"status\":200,\"header:x-one\":\"=1+1\",\"header:VIA\":\"a, b\","
				"\"response-header:x-sum\":\"7\",\"header:x-no\":null,"
				"\"duration_ns\":1500000,\"route\":null}\n"},
		{FORMAT_JSON,
		 "[\n{\"status\":200,\"header:x-one\":\"=1+1\",\"header:VIA\":\"a, b\","
		 "\"response-header:x-sum\":\"7\",\"header:x-no\":null,"
		 "\"duration_ns\":1500000,\"route\":null}\n]\n"},
		{FORMAT_TABLE, "STATUS  HEADER:X-ONE  HEADER:VIA  RESPONSE-HEADER:X-SUM  "
			       "HEADER:X-NO  DURATION_NS  ROUTE\n   200  =1+1          a, b        "
			       "7                      -               1.500 ms  -\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *made = write_one(rows[i].format, fields);

		assert_string_equal(made, rows[i].want);
		free(made);
	}
}

static void test_no_such_field(void **state)
{
	static const char *const lists[] = {
		"status,no",  "",	    "status,,time",	     "header:",
		"header:a b", "header:x-*", "response-header:\"x\"", "Status"};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct request_picks picks;
		struct text error;

		text_init(&error);
		assert_int_equal(request_picks_parse(&picks, lists[i], &error), -EINVAL);
		assert_true(span_starts(text_span(&error), "there is no field \""));
		assert_null(strchr(error.ptr, '\n'));
		text_release(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_picked),
		cmocka_unit_test(test_no_such_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
