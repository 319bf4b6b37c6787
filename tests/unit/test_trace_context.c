/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace contexts in the fields of requests: what both specifications allow, what they forbid, and
 * what strangers send. Every value is read at the end of its memory, also cut at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "guard.h"
#include "proto/http1_head.h"
#include "proto/http1_head_cache.h"
#include "proto/http1_trace_context.h"

#define ID    "0af7651916cd43dd8448eb211c80319c"
#define SHORT "8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define ZEROS "0000000000000000"

#define NOT_SAMPLED ID " " SPAN
#define SAMPLED	    NOT_SAMPLED " sampled"

struct row {
	const char *why;
	const char *value;
	const char *want; /* "": no trace context */
};

static const struct row traceparents[] = {
	{"sampled", "00-" ID "-" SPAN "-01", SAMPLED},
	{"not sampled", "00-" ID "-" SPAN "-00", NOT_SAMPLED},
	{"flags that are not known are passed over", "00-" ID "-" SPAN "-ff", SAMPLED},
	{"flags without the first one", "00-" ID "-" SPAN "-fe", NOT_SAMPLED},
	{"a later version with a part more", "cc-" ID "-" SPAN "-01-what-comes", SAMPLED},
	{"a later version without", "fe-" ID "-" SPAN "-01", SAMPLED},
	{"a later version with a character more", "cc-" ID "-" SPAN "-01x", ""},
	{"a later version that ends in a dash", "cc-" ID "-" SPAN "-01-", SAMPLED},
	{"version 00 has four parts", "00-" ID "-" SPAN "-01-x", ""},
	{"version ff is forbidden", "ff-" ID "-" SPAN "-01", ""},
	{"a version in upper case", "0A-" ID "-" SPAN "-01", ""},
	{"a version that is no number", "0.-" ID "-" SPAN "-01", ""},
	{"a trace of zeros", "00-" ZEROS ZEROS "-" SPAN "-01", ""},
	{"a span of zeros", "00-" ID "-" ZEROS "-01", ""},
	{"zeros in half of the trace", "00-" ZEROS SHORT "-" SPAN "-01",
	 ZEROS SHORT " " SPAN " sampled"},
	{"upper case in the trace", "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", ""},
	{"upper case in the span", "00-" ID "-B7AD6B7169203331-01", ""},
	{"the character before 0", "00-/af7651916cd43dd8448eb211c80319c-" SPAN "-01", ""},
	{"the character behind 9", "00-" ID "-b7ad6b716920333:-01", ""},
	{"the character before a", "00-" ID "-b7ad6b716920333`-01", ""},
	{"the character behind f", "00-" ID "-b7ad6b716920333g-01", ""},
	{"a byte above 127", "00-" ID "-b7ad6b716920333\xb0-01", ""},
	{"flags in upper case", "00-" ID "-" SPAN "-0A", ""},
	{"flags with one digit", "00-" ID "-" SPAN "-1", ""},
	{"other separators", "00_" ID "_" SPAN "_01", ""},
	{"a short trace", "00-" SHORT "-" SPAN "-01", ""},
	{"no dashes at all", "00" ID SPAN "01", ""},
	{"a space in it", "00-" ID " " SPAN "-01", ""},
	{"two in one", "00-" ID "-" SPAN "-01,00-" ID "-" SPAN "-01", ""},
	{"nothing", "", ""},
};

static const struct row b3s[] = {
	{"sampled", ID "-" SPAN "-1", SAMPLED},
	{"debug implies sampled", ID "-" SPAN "-d", SAMPLED},
	{"not sampled", ID "-" SPAN "-0", NOT_SAMPLED},
	{"not decided yet", ID "-" SPAN, NOT_SAMPLED},
	{"with the parent", ID "-" SPAN "-1-" SHORT, SAMPLED},
	{"64 bits", SHORT "-" SPAN "-1", ZEROS SHORT " " SPAN " sampled"},
	{"the decision alone", "0", ""},
	{"debug alone", "d", ""},
	{"a trace without a span", ID, ""},
	{"a trace and a dash", ID "-", ""},
	{"another decision", ID "-" SPAN "-2", ""},
	{"an empty decision", ID "-" SPAN "-", ""},
	{"a word as decision", ID "-" SPAN "-true", ""},
	{"an empty parent", ID "-" SPAN "-1-", ""},
	{"a parent of zeros", ID "-" SPAN "-1-" ZEROS, ""},
	{"a part more", ID "-" SPAN "-1-" SHORT "-x", ""},
	{"a trace of 31 digits", "af7651916cd43dd8448eb211c80319c-" SPAN "-1", ""},
	{"a trace of zeros", ZEROS ZEROS "-" SPAN "-1", ""},
	{"a short trace of zeros", ZEROS "-" SPAN "-1", ""},
	{"a span of zeros", ID "-" ZEROS "-1", ""},
	{"upper case", "0AF7651916CD43DD8448EB211C80319C-" SPAN "-1", ""},
	{"dashes", "----------------------------------------------------", ""},
	{"nothing", "", ""},
};

static void describe(struct text *out, const struct trace_context *c)
{
	text_add_hex(out, c->trace_id, sizeof(c->trace_id));
	text_add_char(out, ' ');
	text_add_hex(out, c->span_id, sizeof(c->span_id));
	text_add(out, c->is_sampled ? " sampled" : "");
}

static bool read_one(enum trace_field field, struct span value, struct trace_context *ret)
{
	struct trace_reader r;

	trace_reader_init(&r);
	trace_reader_add(&r, field, value);
	return trace_reader_end(&r, ret);
}

static void check(const char *why, bool is_valid, const struct trace_context *c, const char *want)
{
	struct text have;

	text_init(&have);
	if (is_valid)
		describe(&have, c);
	if (strcmp(have.ptr, want) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", why, have.ptr, want);
	text_release(&have);
}

static void check_values(enum trace_field field, const struct row *rows, size_t count)
{
	static struct guard guard;
	struct trace_context c;

	for (size_t i = 0; i < count; i++) {
		struct span value = span_of(rows[i].value);

		check(rows[i].why, read_one(field, guard_put(&guard, value), &c), &c, rows[i].want);
		for (size_t n = 0; n < value.len; n++)
			if (read_one(field, guard_put(&guard, (struct span){value.ptr, n}), &c))
				assert_true(n >= 33); /* a short trace, and a span */
	}
}

static void test_values(void **state)
{
	(void)state;
	check_values(TRACE_FIELD_TRACEPARENT, traceparents,
		     sizeof(traceparents) / sizeof(traceparents[0]));
	check_values(TRACE_FIELD_B3, b3s, sizeof(b3s) / sizeof(b3s[0]));
}

/* Each byte of an identifier is decoded, and each that is no digit refused. */
static void test_every_byte(void **state)
{
	char value[] = "00-" ID "-" SPAN "-01";
	struct trace_context c;
	char byte[3];

	(void)state;
	for (size_t at = 3; at < 35; at++) {
		char before = value[at];

		for (int b = 0; b < 256; b++) {
			bool is_digit = b && strchr("0123456789abcdef", b);

			value[at] = (char)b;
			if (read_one(TRACE_FIELD_TRACEPARENT, (struct span){value, 55}, &c) !=
			    is_digit)
				fail_msg("byte %d at %zu", b, at);
			if (!is_digit)
				continue;
			(void)snprintf(byte, sizeof(byte), "%02x", c.trace_id[(at - 3) / 2]);
			assert_memory_equal(byte, value + 3 + (at - 3) / 2 * 2, 2);
		}
		value[at] = before;
	}
}

struct head {
	const char *why;
	const char *fields;
	const char *want;
};

#define PARENT "traceparent: 00-" ID "-" SPAN "-01\r\n"
#define OTHER  "b3: " SHORT "-" SPAN "-1\r\n"

static const struct head heads[] = {
	{"none", "Host: a\r\nTE: trailers\r\n", ""},
	{"traceparent", PARENT, SAMPLED},
	{"in other letters", "TraceParent:00-" ID "-" SPAN "-01\r\n", SAMPLED},
	{"with spaces around it", "traceparent: \t 00-" ID "-" SPAN "-01 \t \r\n", SAMPLED},
	{"without CR", "traceparent: 00-" ID "-" SPAN "-01\n", SAMPLED},
	{"on a line that continues", "traceparent:\r\n 00-" ID "-" SPAN "-01\r\n", SAMPLED},
	{"twice", PARENT PARENT, ""},
	{"three times", PARENT PARENT PARENT, ""},
	{"tracestate alone", "tracestate: a=00-" ID "-" SPAN "-01\r\n", ""},
	{"another name of its length", "traceparenx: 00-" ID "-" SPAN "-01\r\n", ""},
	{"a space before the colon", "traceparent : 00-" ID "-" SPAN "-01\r\n", ""},
	{"b3", "B3: " ID "-" SPAN "-1\r\n", SAMPLED},
	{"b3 twice", OTHER OTHER, ""},
	{"traceparent before b3", OTHER PARENT, SAMPLED},
	{"b3 where traceparent is malformed", "traceparent: x\r\nb3: " ID "-" SPAN "\r\n",
	 NOT_SAMPLED},
	{"b3 where traceparent comes twice", PARENT PARENT "b3: " ID "-" SPAN "\r\n", NOT_SAMPLED},
	{"X-B3", "X-B3-TraceId: " ID "\r\nX-B3-SpanId: " SPAN "\r\nX-B3-Sampled: 1\r\n", SAMPLED},
	{"X-B3 in any order, sampled first",
	 "x-b3-sampled: true\r\nx-b3-spanid: " SPAN "\r\nHost: b\r\nx-b3-traceid: " ID "\r\n",
	 SAMPLED},
	{"X-B3 not sampled", "X-B3-TraceId:" ID "\r\nX-B3-SpanId:" SPAN "\r\nX-B3-Sampled:0\r\n",
	 NOT_SAMPLED},
	{"X-B3 with debug", "X-B3-TraceId:" ID "\r\nX-B3-SpanId:" SPAN "\r\nX-B3-Flags: 1\r\n",
	 SAMPLED},
	{"X-B3 of 64 bits", "X-B3-TraceId: " SHORT "\r\nX-B3-SpanId: " SPAN "\r\n",
	 ZEROS SHORT " " SPAN},
	{"X-B3 without a span", "X-B3-TraceId: " ID "\r\n", ""},
	{"X-B3 without a trace", "X-B3-SpanId: " SPAN "\r\n", ""},
	{"X-B3 with two traces",
	 "X-B3-TraceId: " ID "\r\nX-B3-TraceId: " ID "\r\nX-B3-SpanId: " SPAN "\r\n", ""},
	{"b3 before X-B3",
	 "X-B3-TraceId: " SHORT "\r\nX-B3-SpanId: " SPAN "\r\nb3: " ID "-" SPAN "-1\r\n", SAMPLED},
};

static void check_head(const char *why, const struct message *m, const char *want)
{
	struct trace_context c;
	bool is_valid = m->has_trace_fields && http1_trace_context(m, &c);

	check(why, is_valid, &c, want);
}

/* In heads of HTTP/1: parsed, and from the cache of heads, once when they come and once again. */
static void test_heads(void **state)
{
	static struct guard guard;

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		const char *why = heads[i].why;
		struct http1_head h;
		struct span in;
		struct text text;

		text_init(&text);
		text_addf(&text, "GET /traced HTTP/1.1\r\nHost: a\r\n%s\r\n", heads[i].fields);
		http1_head_unfold(text.ptr, text.len);
		in = guard_put(&guard, text_span(&text));
		assert_int_equal(http1_head_parse(&h, in, false), HTTP1_HEAD_DONE);
		check_head(why, &h.m, heads[i].want);
		for (int again = 0; again < 2; again++) {
			struct http1_head *cached = http1_head_cache_parse(in, false);

			assert_non_null(cached);
			check_head(why, &cached->m, heads[i].want);
		}
		text_release(&text);
	}
}

/* A stranger's thousands of lines are not read again; what is cut there is no identifier. */
static void test_long_heads(void **state)
{
	struct trace_context c;
	struct http1_head h;
	struct text text;

	(void)state;
	for (size_t lines = 1000; lines < 1040; lines++) {
		text_init(&text);
		text_add(&text, "GET / HTTP/1.1\r\nX-B3-SpanId: " SPAN "\r\n");
		for (size_t i = 0; i < lines; i++)
			text_add(&text, "a:\r\n");
		text_add(&text, "X-B3-TraceId: " ID "\r\n\r\n");
		assert_int_equal(http1_head_parse(&h, text_span(&text), false), HTTP1_HEAD_DONE);
		assert_true(h.m.has_b3_fields);
		check("only a whole identifier", http1_trace_context(&h.m, &c), &c,
		      h.m.fields.len <= 4096 ? NOT_SAMPLED : "");
		text_release(&text);
	}
}

/* Heads that differ only there are not taken for one another. */
static void test_cached_heads_differ(void **state)
{
	char head[] = "GET /traced HTTP/1.1\r\nHost: a\r\n" PARENT "\r\n";
	char *digit = strstr(head, SPAN) + 7;

	(void)state;
	for (const char *d = "0123456789abcdef"; *d; d++) {
		struct trace_context c;
		struct http1_head *cached;

		*digit = *d;
		cached = http1_head_cache_parse(span_of(head), false);
		assert_true(cached && http1_trace_context(&cached->m, &c));
		assert_int_equal("0123456789abcdef"[c.span_id[3] & 15], *d);
	}
}

/* Responses have none. */
static void test_response(void **state)
{
	struct http1_head h;

	(void)state;
	assert_int_equal(
		http1_head_parse(&h, span_of("HTTP/1.1 200 OK\r\n" PARENT OTHER "\r\n"), true),
		HTTP1_HEAD_DONE);
	assert_false(h.m.has_trace_fields);
}

static void test_ids_that_people_write(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{ID, ID},
		{"0AF7651916cd43dd8448EB211C80319C", ID},
		{SHORT, ZEROS SHORT},
		{ZEROS ZEROS, ""},
		{ZEROS, ""},
		{"", ""},
		{"0af7", ""},
		{ID "0", ""},
		{"00-" ID "-" SPAN "-01", ""},
		{"0af7651916cd43dd8448eb211c80319G", ""},
		{"0af7651916cd43dd8448eb211c80319@", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text have;
		uint8_t id[TRACE_ID_BYTES];

		text_init(&have);
		if (trace_id_parse(span_of(rows[i].text), id))
			text_add_hex(&have, id, sizeof(id));
		assert_string_equal(have.ptr, rows[i].want);
		text_release(&have);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_long_heads),
		cmocka_unit_test(test_cached_heads_differ),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_ids_that_people_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
