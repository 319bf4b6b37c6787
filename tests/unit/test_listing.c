/* SPDX-License-Identifier: Apache-2.0 */
/* A Pushgateway's list of groups, whole, byte by byte, cut, and made up by an enemy. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "webhook/listing.h"

#define TIME(name, value)                                                                          \
	"\"" name "\":{\"type\":\"GAUGE\",\"metrics\":[{\"value\":\"" value "\"}]}"
#define PUSHED(value)	    TIME("push_time_seconds", value)
#define LIST(groups)	    "{\"status\":\"success\",\"data\":[" groups "]}"
#define GROUP(labels, more) "{\"labels\":{" labels "}" more "}"

/* One line for each group: the time, then name=value of all labels. */
static void on_group(void *ctx, const struct listed_group *group)
{
	struct text *out = ctx;
	const cJSON *one;

	text_addf(out, "%.0f", group->pushed_s);
	cJSON_ArrayForEach(one, group->labels)
		text_addf(out, " %s=%s", one->string, one->valuestring);
	text_add_char(out, '\n');
}

/* Reads doc in parts of part_bytes bytes. Returns the result of listing_feed(). */
static int read_in_parts(const char *doc, size_t len, size_t part_bytes, struct text *out,
			 size_t *ret_unusable)
{
	struct listing l;
	int err = 0;

	text_clear(out);
	listing_init(&l, on_group, out);
	for (size_t i = 0; i < len && !err; i += part_bytes)
		err = listing_feed(&l, doc + i, len - i < part_bytes ? len - i : part_bytes);
	if (!err)
		err = listing_end(&l);
	*ret_unusable = l.unusable;
	listing_release(&l);
	return err;
}

static const struct row {
	const char *why;
	const char *doc;
	const char *want; /* NULL: -EINVAL */
	size_t unusable;
} rows[] = {
	{"a gateway without groups", LIST(""), "", 0},
	{"Go prints an empty list as null", "{\"status\":\"success\",\"data\":null}", "", 0},
	{"a group, other metrics around it",
	 LIST(GROUP("\"job\":\"a\",\"pod\":\"p/1\"",
		    ",\"x\":{\"metrics\":[{\"labels\":{\"job\":\"no\"}}]}," PUSHED("1.7e+09"))),
	 "1700000000 job=a pod=p/1\n", 0},
	{"members in any order, white space anywhere",
	 " { \"data\" : [ { " PUSHED("5") " ,\n\t\"labels\" : { \"job\" : \"b\" } } ] }\n",
	 "5 job=b\n", 0},
	{"the last push counts, also if it failed",
	 LIST(GROUP("\"job\":\"a\"", "," PUSHED("5") "," TIME("push_failure_time_seconds", "9"))),
	 "9 job=a\n", 0},
	{"no push that succeeded", LIST(GROUP("\"job\":\"a\"", "," PUSHED("0"))), "0 job=a\n", 0},
	{"no time at all", LIST(GROUP("\"job\":\"a\"", "")), "0 job=a\n", 0},
	{"a time that is none", LIST(GROUP("\"job\":\"a\"", "," PUSHED("1e999"))), "0 job=a\n", 0},
	{"brackets and quotes in strings are text",
	 LIST(GROUP("\"job\":\"}]\\\"{[,:\"", "," PUSHED("1"))), "1 job=}]\"{[,:\n", 0},
	{"values that escape", LIST(GROUP("\"job\":\"\\u00e9\\n\"", "," PUSHED("1"))),
	 "1 job=\xc3\xa9\n\n", 0},
	{"an empty value is a value", LIST(GROUP("\"job\":\"a\",\"pod\":\"\"", "," PUSHED("1"))),
	 "1 job=a pod=\n", 0},
	{"a NUL in a value would make it another group's",
	 LIST(GROUP("\"job\":\"a\\u0000b\"", "," PUSHED("1"))), "", 1},
	{"no job, no name", LIST(GROUP("\"pod\":\"a\"", "," PUSHED("1"))), "", 1},
	{"an empty job", LIST(GROUP("\"job\":\"\"", "," PUSHED("1"))), "", 1},
	{"a label's name that would be a path",
	 LIST(GROUP("\"job\":\"a\",\"x/../..\":\"b\"", "," PUSHED("1"))), "", 1},
	{"labels that are no strings", LIST(GROUP("\"job\":\"a\",\"n\":1", "," PUSHED("1"))), "",
	 1},
	{"a metric called labels takes the place of the labels",
	 LIST("{\"labels\":{\"job\":\"a\"},\"labels\":{\"metrics\":[]}," PUSHED("1") "}"), "", 1},
	{"the next group is read after one that cannot be used",
	 LIST(GROUP("\"n\":1", "") "," GROUP("\"job\":\"a\"", "," PUSHED("2"))), "2 job=a\n", 1},
	{"labels elsewhere are not a group's",
	 "{\"data\":{\"x\":[{\"labels\":{\"job\":\"a\"}}]},\"more\":[[{\"labels\":{\"job\":\"b\"}}]"
	 "]}",
	 "", 0},
	{"not JSON", "404 page not found\n", NULL, 0},
	{"nothing", "", NULL, 0},
	{"something after the end", LIST("") "{}", NULL, 0},
	{"brackets that do not match", "{\"data\":[}}", NULL, 0},
	{"a bracket too many", LIST("") "}", NULL, 0},
};

static void test_rows(void **state)
{
	struct text out;
	size_t unusable;

	(void)state;
	text_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		for (size_t part_bytes = 1; part_bytes < 5000;
		     part_bytes = part_bytes < 9 ? part_bytes + 1 : 2 * part_bytes) {
			int err =
				read_in_parts(r->doc, strlen(r->doc), part_bytes, &out, &unusable);

			if (err != (r->want ? 0 : -EINVAL))
				fail_msg("%s, by %zu: %d", r->why, part_bytes, err);
			if (r->want && (strcmp(out.ptr, r->want) != 0 || unusable != r->unusable))
				fail_msg("%s, by %zu: %zu unusable, %s", r->why, part_bytes,
					 unusable, out.ptr);
		}
	}
	text_release(&out);
}

static void test_every_prefix_is_incomplete(void **state)
{
	static const char doc[] = LIST(GROUP("\"job\":\"a\"", "," PUSHED("2")));
	struct text out;
	size_t unusable;

	(void)state;
	text_init(&out);
	for (size_t len = 0; len < sizeof(doc) - 1; len++)
		assert_int_equal(read_in_parts(doc, len, 7, &out, &unusable), -EINVAL);
	assert_int_equal(read_in_parts(doc, sizeof(doc) - 1, 7, &out, &unusable), 0);
	text_release(&out);
}

static void test_caps(void **state)
{
	static const char start[] = "{\"data\":[{\"labels\":{\"job\":\"";
	static const char next[] = "\"}},{\"labels\":{\"job\":\"b\"}," PUSHED("3") "}]}";
	struct text doc;
	struct text out;
	size_t unusable;

	(void)state;
	text_init(&doc);
	text_init(&out);
	text_add(&doc, start);
	for (size_t i = 0; i < LISTING_KEPT_MAX; i++)
		text_add_char(&doc, 'x');
	text_add(&doc, next);
	/* Labels over the cap: not that group, but the next one. */
	assert_int_equal(read_in_parts(doc.ptr, doc.len, 4096, &out, &unusable), 0);
	assert_string_equal(out.ptr, "3 job=b\n");
	assert_int_equal(unusable, 1);

	text_clear(&doc);
	for (size_t i = 0; i < 1000000; i++)
		text_add_char(&doc, '[');
	assert_int_equal(read_in_parts(doc.ptr, doc.len, 4096, &out, &unusable), -EINVAL);
	text_release(&doc);
	text_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_prefix_is_incomplete),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
