/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export/request_writer: what hostile cells become in CSV, HAR and workbooks, what an output
 * without requests is, and what happens when nothing can be written. Whether other programs read
 * the files is the business of tests/e2e/test_export.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "export/request_writer.h"
#include "export/xlsx.h"

static struct request_picks all_fields;

/* Writes the lines; returns what comes of them, with its length. */
static char *make(enum request_format format, const char *const *lines, size_t count, size_t *len)
{
	char *made = NULL;
	FILE *out = open_memstream(&made, len);
	struct request_writer *w = request_writer_new(out, format, false);

	assert_non_null(w);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(request_writer_add(w, span_of(lines[i])), 0);
	assert_int_equal(request_writer_finish(w), 0);
	request_writer_free(w);
	assert_int_equal(fclose(out), 0);
	return made;
}

static const char *const targets[] = {
	"/plain",
	"=HYPERLINK(1)",
	"+1",
	"-1",
	"@SUM(A1)",
	"a,b",
	"say \\\"x\\\"",
	"\\u0009=1",
	"\\u000d\\n=1",
	"\\\\x00\\\\x1b",
	"\\u00ff\\u20ac",
	"<&>_x0041_",
	"",
};
#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static void make_lines(char lines[TARGETS][200], const char *ret[TARGETS])
{
	for (size_t i = 0; i < TARGETS; i++) {
		(void)snprintf(
			lines[i], 200,
			"{\"time\":\"2026-01-02T03:04:05.000000006Z\",\"server\":\"[::1]:80\","
			"\"method\":\"GET\",\"target\":\"%s\",\"status\":null,"
			"\"duration_ns\":1500000,\"first_byte_ns\":500000}",
			targets[i]);
		ret[i] = lines[i];
	}
}

static void test_csv(void **state)
{
	static const char *const want[TARGETS] = {
		",/plain,",
		",\"'=HYPERLINK(1)\",",
		",\"'+1\",",
		",\"'-1\",",
		",\"'@SUM(A1)\",",
		",\"a,b\",",
		",\"say \"\"x\"\"\",",
		",\"'\\x09=1\",",
		",\"'\\x0d\\x0a=1\",",
		",\\x00\\x1b,",
		",\\xc3\\xbf\\xe2\\x82\\xac,",
		",<&>_x0041_,",
		",GET,,",
	};
	char lines[TARGETS][200];
	const char *pointers[TARGETS];
	size_t len;
	char *csv;
	char *line;

	(void)state;
	make_lines(lines, pointers);
	csv = make(FORMAT_CSV, pointers, TARGETS, &len);
	assert_int_equal(strlen(csv), len);
	line = strstr(csv, "\r\n");
	for (size_t i = 0; i < TARGETS; i++) {
		char *end = strstr(line + 2, "\r\n");

		assert_non_null(end);
		*end = '\0';
		if (!strstr(line + 2, want[i]))
			fail_msg("%s: %s", targets[i], line + 2);
		assert_non_null(strstr(line + 2, ",1500000,500000,"));
		line = end;
	}
	assert_int_equal(line[2], '\0');
	free(csv);
}

static void test_har(void **state)
{
	static const char *const want[TARGETS] = {
		"http://[::1]:80/plain\"",
		"http://[::1]:80/=HYPERLINK(1)\"",
		"http://[::1]:80/+1\"",
		"http://[::1]:80/-1\"",
		"http://[::1]:80/@SUM(A1)\"",
		"http://[::1]:80/a,b\"",
		"http://[::1]:80/say%20%22x%22\"",
		"http://[::1]:80/%09=1\"",
		"http://[::1]:80/%0D%0A=1\"",
		"http://[::1]:80/%00%1B\"",
		"http://[::1]:80/%C3%BF%E2%82%AC\"",
		"http://[::1]:80/%3C&%3E_x0041_\"",
		"http://[::1]:80/\"",
	};
	char lines[TARGETS][200];
	const char *pointers[TARGETS];
	size_t len;
	char *har;
	const char *at;

	(void)state;
	make_lines(lines, pointers);
	har = make(FORMAT_HAR, pointers, TARGETS, &len);
	at = har;
	for (size_t i = 0; i < TARGETS; i++) {
		at = strstr(at, "\"url\":\"");
		assert_non_null(at);
		at += strlen("\"url\":\"");
		if (strncmp(at, want[i], strlen(want[i])) != 0)
			fail_msg("%s: %.60s", targets[i], at);
		assert_non_null(strstr(at, "\"timings\":{\"send\":0,\"wait\":0.500000,"
					   "\"receive\":1.000000},\"serverIPAddress\":\"::1\""));
	}
	free(har);
}

/* A query's names and values, and URLs that are whole already. */
static void test_har_urls(void **state)
{
	static const struct {
		const char *target;
		const char *want;
	} rows[] = {
		{"/a?b=1&c&d==&&e=%41%", "\"url\":\"http:///a?b=1&c&d==&&e=%41%25\""},
		{"/a?b=1&c", "[{\"name\":\"b\",\"value\":\"1\"},{\"name\":\"c\",\"value\":\"\"}]"},
		{"/a?", "\"queryString\":[]"},
		{"http://x/y", "\"url\":\"http://x/y\""},
		{"*", "\"url\":\"http:///*\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[200];
		const char *pointer = line;
		size_t len;
		char *har;

		(void)snprintf(line, sizeof(line), "{\"target\":\"%s\"}", rows[i].target);
		har = make(FORMAT_HAR, &pointer, 1, &len);
		if (!strstr(har, rows[i].want))
			fail_msg("%s: %s", rows[i].target, har);
		free(har);
	}
}

static uint32_t number_at(const char *at, size_t size)
{
	uint32_t n = 0;

	while (size--)
		n = n << 8 | (unsigned char)at[size];
	return n;
}

/* The content of an archive's entry, by its directory; NULL: there is none. */
static char *content(const char *zip, size_t len, const char *name)
{
	const char *end = zip + len - 22;
	const char *at = zip + number_at(end + 16, 4);

	assert_memory_equal(end, "PK\5\6", 4);
	for (; at < end; at += 46 + number_at(at + 28, 2)) {
		uint32_t raw = number_at(at + 24, 4);
		const char *header = zip + number_at(at + 42, 4);
		z_stream z = {0};
		char *text;

		assert_memory_equal(at, "PK\1\2", 4);
		if (!span_is((struct span){at + 46, number_at(at + 28, 2)}, name))
			continue;
		assert_memory_equal(header, "PK\3\4", 4);
		text = calloc(1, raw + 1);
		assert_non_null(text);
		z.next_in = (unsigned char *)(uintptr_t)header + 30 + number_at(header + 26, 2);
		z.avail_in = number_at(at + 20, 4);
		z.next_out = (unsigned char *)text;
		z.avail_out = raw + 1;
		assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, raw);
		assert_int_equal(crc32(0, (unsigned char *)text, raw), number_at(at + 16, 4));
		(void)inflateEnd(&z);
		return text;
	}
	return NULL;
}

static void assert_contains(const char *zip, size_t len, const char *name, const char *part)
{
	char *text = content(zip, len, name);

	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("%s has no %s: %s", name, part, text);
	free(text);
}

static void test_xlsx(void **state)
{
	static const char *const want[TARGETS] = {
		">/plain<",
		">=HYPERLINK(1)<",
		">+1<",
		">-1<",
		">@SUM(A1)<",
		">a,b<",
		">say \"x\"<",
		">\\x09=1<",
		">\\x0d\\x0a=1<",
		">\\x00\\x1b<",
		">\\xc3\\xbf\\xe2\\x82\\xac<",
		">&lt;&amp;&gt;_x005F_x0041_<",
		"<c r=\"H14\" t=\"inlineStr\" s=\"0\"><is><t xml:space=\"preserve\">GET</t></is>"
		"</c><c r=\"M14\"",
	};
	char lines[TARGETS][200];
	const char *pointers[TARGETS];
	size_t len;
	char *xlsx;

	(void)state;
	make_lines(lines, pointers);
	xlsx = make(FORMAT_XLSX, pointers, TARGETS, &len);
	for (size_t i = 0; i < TARGETS; i++)
		assert_contains(xlsx, len, "xl/worksheets/sheet1.xml", want[i]);
	/* 2 January 2026 is day 46024. */
	assert_contains(xlsx, len, "xl/worksheets/sheet1.xml",
			"<c r=\"A2\" s=\"2\"><v>46024.127835648148</v></c>");
	assert_contains(xlsx, len, "xl/workbook.xml", "<sheet name=\"HTTP\"");
	assert_contains(xlsx, len, "xl/workbook.xml", "<sheet name=\"gRPC\"");
	free(xlsx);
}

/* Two rows of a sheet are its headings and one request. */
static void test_xlsx_goes_on_in_another_sheet(void **state)
{
	static const char *const lines[] = {
		"{\"target\":\"/h1\"}", "{\"target\":\"/g1\",\"rpc_status\":\"OK\"}",
		"{\"target\":\"/h2\"}", "{\"target\":\"/g2\",\"rpc_status\":\"OK\"}"};
	static const struct {
		const char *sheet;
		const char *part;
	} rows[] = {
		{"xl/worksheets/sheet1.xml", ">/h1<"},
		{"xl/worksheets/sheet2.xml", ">/g1<"},
		{"xl/worksheets/sheet3.xml", ">/h2<"},
		{"xl/worksheets/sheet4.xml", ">/g2<"},
		{"xl/workbook.xml", "<sheet name=\"HTTP\" sheetId=\"1\" r:id=\"rId1\"/>"
				    "<sheet name=\"HTTP 2\" sheetId=\"3\" r:id=\"rId3\"/>"
				    "<sheet name=\"gRPC\" sheetId=\"2\" r:id=\"rId2\"/>"
				    "<sheet name=\"gRPC 2\" sheetId=\"4\" r:id=\"rId4\"/>"},
	};
	char *made = NULL;
	size_t len;
	FILE *out = open_memstream(&made, &len);
	struct xlsx *x = xlsx_new(out, 2, &all_fields);

	(void)state;
	assert_non_null(x);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cJSON *request = cJSON_Parse(lines[i]);

		assert_int_equal(xlsx_add_request(x, request), 0);
		cJSON_Delete(request);
	}
	assert_int_equal(xlsx_finish(x), 0);
	xlsx_free(x);
	assert_int_equal(fclose(out), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_contains(made, len, rows[i].sheet, rows[i].part);
	free(made);
}

/* When there are no more sheets, what was added makes a workbook all the same. */
static void test_xlsx_full(void **state)
{
	cJSON *request = cJSON_Parse("{\"target\":\"/x\"}");
	char *made = NULL;
	size_t len;
	FILE *out = open_memstream(&made, &len);
	struct xlsx *x = xlsx_new(out, 2, &all_fields);
	int added = 0;
	int err;

	(void)state;
	assert_non_null(x);
	while ((err = xlsx_add_request(x, request)) == 0)
		added++;
	assert_int_equal(err, -EFBIG);
	assert_int_equal(added, 63); /* and the sheet of gRPC */
	assert_int_equal(xlsx_finish(x), 0);
	assert_int_equal(fclose(out), 0);
	assert_contains(made, len, "xl/worksheets/sheet64.xml", ">/x<");
	assert_contains(made, len, "xl/workbook.xml", "<sheet name=\"HTTP 63\"");
	xlsx_free(x);
	cJSON_Delete(request);
	free(made);
}

static void test_empty(void **state)
{
	size_t len;
	char *made;

	(void)state;
	made = make(FORMAT_NDJSON, NULL, 0, &len);
	assert_int_equal(len, 0);
	free(made);
	made = make(FORMAT_TABLE, NULL, 0, &len);
	assert_int_equal(len, 0);
	free(made);
	made = make(FORMAT_CSV, NULL, 0, &len);
	assert_memory_equal(made, "time,container,", 15);
	assert_ptr_equal(strstr(made, "\r\n"), made + len - 2);
	free(made);
	made = make(FORMAT_HAR, NULL, 0, &len);
	assert_non_null(strstr(made, "\"entries\":[\n\n]}}\n"));
	free(made);
	made = make(FORMAT_XLSX, NULL, 0, &len);
	assert_contains(made, len, "xl/worksheets/sheet1.xml", ">Duration (ms)<");
	assert_contains(made, len, "xl/worksheets/sheet2.xml", ">gRPC status<");
	free(made);
}

/* Lines that no sidecar writes: what is no object is refused, and what has other types is empty. */
static void test_foreign_lines(void **state)
{
	static const enum request_format formats[] = {FORMAT_TABLE, FORMAT_CSV, FORMAT_XLSX,
						      FORMAT_HAR};
	static const char *const refused[] = {"", "[]", "7", "{", "{\"a\":}", "\"x\""};
	static const char *const odd[] = {
		"{}", "{\"time\":7,\"target\":[],\"status\":\"x\",\"duration_ns\":-1,\"probe\":3}",
		"{\"time\":\"\",\"status\":1e300,\"duration_ns\":1e300,\"rpc_status\":{}}",
		"{\"status\":1e999,\"duration_ns\":1e999,\"stream\":-1e999}"};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *made = NULL;
		size_t len;
		FILE *out = open_memstream(&made, &len);
		struct request_writer *w = request_writer_new(out, formats[i], false);

		assert_non_null(w);
		for (size_t j = 0; j < sizeof(refused) / sizeof(refused[0]); j++)
			assert_int_equal(request_writer_add(w, span_of(refused[j])), -EBADMSG);
		for (size_t j = 0; j < sizeof(odd) / sizeof(odd[0]); j++)
			assert_int_equal(request_writer_add(w, span_of(odd[j])), 0);
		assert_int_equal(request_writer_finish(w), 0);
		request_writer_free(w);
		assert_int_equal(fclose(out), 0);
		assert_true(len > 0);
		assert_null(memmem(made, len, "inf", 3));
		free(made);
	}
}

static void test_full(void **state)
{
	static const enum request_format formats[] = {FORMAT_TABLE, FORMAT_NDJSON, FORMAT_JSON,
						      FORMAT_CSV,   FORMAT_XLSX,   FORMAT_HAR};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		FILE *out = fopen("/dev/full", "we");
		struct request_writer *w = request_writer_new(out, formats[i], false);

		assert_non_null(out);
		assert_non_null(w);
		(void)request_writer_add(w, span_of("{}"));
		assert_int_equal(request_writer_finish(w), -ENOSPC);
		assert_int_equal(request_writer_error(w), -ENOSPC);
		request_writer_free(w);
		(void)fclose(out); /* full, as before */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_har),
		cmocka_unit_test(test_har_urls),
		cmocka_unit_test(test_xlsx),
		cmocka_unit_test(test_xlsx_goes_on_in_another_sheet),
		cmocka_unit_test(test_xlsx_full),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_foreign_lines),
		cmocka_unit_test(test_full),
	};

	request_picks_all(&all_fields, false);
	return cmocka_run_group_tests_name("request_writer", tests, NULL, NULL);
}
