/* SPDX-License-Identifier: Apache-2.0 */
/* Which format and which encoding a scraper gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "export/accept.h"

#define PROTOBUF                                                                                   \
	"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"                 \
	"encoding=delimited"
#define OPENMETRICS "application/openmetrics-text;version=1.0.0"

static void test_format(void **state)
{
	static const struct {
		const char *why;
		const char *accept;
		enum page_format want;
	} rows[] = {
		{"no field", NULL, PAGE_TEXT},
		{"an empty field", "", PAGE_TEXT},
		{"Prometheus 2.42",
		 "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 PAGE_OPENMETRICS},
		{"Prometheus 3 puts protobuf and escaping schemes in",
		 "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		 "application/openmetrics-text;version=0.0.1;q=0.5,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;"
		 "q=0.3,*/*;q=0.2",
		 PAGE_OPENMETRICS},
		{"curl", "*/*", PAGE_TEXT},
		{"a browser", "text/html,application/xhtml+xml,*/*;q=0.8", PAGE_TEXT},
		{"text is liked better", "application/openmetrics-text;q=0.2,text/plain;q=0.9",
		 PAGE_TEXT},
		{"q=0 is a refusal", "application/openmetrics-text; q=0", PAGE_TEXT},
		{"q=0.000 too", "application/openmetrics-text; q=0.000", PAGE_TEXT},
		{"spaces, case, no version", " Application/OpenMetrics-Text ; Q=0.5 ",
		 PAGE_OPENMETRICS},
		{"a version we do not write", "application/openmetrics-text;version=0.0.1",
		 PAGE_TEXT},
		{"a quoted version", "application/openmetrics-text; version=\"1.0.0\"",
		 PAGE_OPENMETRICS},
		{"rubbish", ";;;,,,=;q=,q=;;", PAGE_TEXT},
		{"Prometheus 2.42 with native histograms",
		 PROTOBUF ";q=0.7," OPENMETRICS ";q=0.6,application/openmetrics-text;"
			  "version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		 PAGE_PROTOBUF},
		{"Prometheus 2.53 with them, which lists no quality for some",
		 PROTOBUF ";q=0.6," OPENMETRICS ";q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.2",
		 PAGE_PROTOBUF},
		{"the protobuf is liked less", PROTOBUF ";q=0.2," OPENMETRICS ";q=0.3",
		 PAGE_OPENMETRICS},
		{"the protobuf is refused", PROTOBUF ";q=0", PAGE_TEXT},
		{"all alike", "text/plain," OPENMETRICS "," PROTOBUF, PAGE_PROTOBUF},
		{"quotes, spaces, case",
		 "Application/Vnd.Google.Protobuf ; Encoding=\"delimited\" ; "
		 "proto=\"io.prometheus.client.MetricFamily\"",
		 PAGE_PROTOBUF},
		{"protobuf as text",
		 "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=text",
		 PAGE_TEXT},
		{"protobuf of another message",
		 "application/vnd.google.protobuf;proto=x.Y;encoding=delimited", PAGE_TEXT},
		{"protobuf of no message", "application/vnd.google.protobuf;encoding=delimited",
		 PAGE_TEXT},
		{"protobuf without an encoding",
		 "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
		 PAGE_TEXT},
		{"a quote without an end",
		 "application/vnd.google.protobuf;proto=\"io.prometheus.client.MetricFamily;"
		 "encoding=delimited",
		 PAGE_TEXT},
		{"OTLP's type", "application/x-protobuf", PAGE_TEXT},
		{"a rubbish quality", "application/openmetrics-text;q=many", PAGE_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (accept_format(rows[i].accept) != rows[i].want)
			fail_msg("%s: %s", rows[i].why, rows[i].accept);
}

static void test_coding(void **state)
{
	static const struct {
		const char *why;
		const char *accept;
		enum accept_coding want;
	} rows[] = {
		{"no field", NULL, ACCEPT_IDENTITY},
		{"an empty field", "", ACCEPT_IDENTITY},
		{"the usual", "gzip", ACCEPT_GZIP},
		{"a list", "deflate, gzip;q=0.8", ACCEPT_GZIP},
		{"its old name", "x-gzip", ACCEPT_GZIP},
		{"either of its names is enough", "x-gzip;q=0, gzip", ACCEPT_GZIP},
		{"refused", "gzip;q=0, *;q=1", ACCEPT_IDENTITY},
		{"refused in three digits", "gzip;q=0.000", ACCEPT_IDENTITY},
		{"a little", "gzip;q=0.001", ACCEPT_GZIP},
		{"anything", "*", ACCEPT_GZIP},
		{"nothing but gzip", "gzip, *;q=0", ACCEPT_GZIP},
		{"nothing encoded", "identity", ACCEPT_IDENTITY},
		{"both alike", "identity;q=0.5, gzip;q=0.5", ACCEPT_GZIP},
		{"the identity is liked better", "gzip;q=0.1, identity", ACCEPT_IDENTITY},
		{"the identity is refused", "identity;q=0", ACCEPT_NOTHING},
		{"everything is refused", "*;q=0", ACCEPT_NOTHING},
		{"all but the identity is refused", "*;q=0, identity;q=0.1", ACCEPT_IDENTITY},
		{"all that we have is refused", "br, gzip;q=0, identity;q=0", ACCEPT_NOTHING},
		{"others only", "br, zstd", ACCEPT_IDENTITY},
		{"a longer word", "gzipped", ACCEPT_IDENTITY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (accept_coding(rows[i].accept) != rows[i].want)
			fail_msg("%s: %s", rows[i].why, rows[i].accept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_coding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
