/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export/group_watch: what two readings of a gateway's page tell, however the pages are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "export/group_watch.h"
#include "tests/unit/guard.h"

#define HEAD                                                                                       \
	"# HELP push_time_seconds Last Unix time when changing this group succeeded.\n"            \
	"# TYPE push_time_seconds gauge\n"
#define OTHER "push_time_seconds{instance=\"\",job=\"bus\"} 1.7e+09\n"
#define OURS(time)                                                                                 \
	"push_time_seconds{instance=\"\",job=\"shop\",pod=\"a\\\\b\\\"c\\nd\"} " time "\n"
#define LONGER "push_time_seconds{instance=\"\",job=\"shop\",pod=\"a\\\\b\\\"c\\nd\",x=\"y\"} 5\n"

static const struct label group[] = {{"pod", "a\\b\"c\nd"}, {"job", "shop"}};

static const struct {
	const char *why;
	const char *after; /* our push */
	const char *before; /* the next; NULL: that is not asked for */
	enum push_group want;
} rows[] = {
	{"nobody pushed in between", HEAD OTHER OURS("1.75e+09"), HEAD OTHER OURS("1.75e+09"),
	 PUSH_GROUP_OWN},
	{"somebody did, in the same second", HEAD OURS("1.7512345e+09"), HEAD OURS("1.7512346e+09"),
	 PUSH_GROUP_FOREIGN},
	{"a time that only begins like ours", OURS("1.75"), OURS("1.751"), PUSH_GROUP_FOREIGN},
	{"the group was deleted", HEAD OTHER OURS("1"), HEAD OTHER, PUSH_GROUP_GONE},
	{"groups of which ours is a part", HEAD LONGER OURS("2"), HEAD LONGER OURS("2"),
	 PUSH_GROUP_OWN},
	{"a longer group is not ours", HEAD LONGER, NULL, PUSH_GROUP_UNREAD},
	{"a gateway that shows no times", "go_goroutines 7\n", NULL, PUSH_GROUP_UNREAD},
	{"an empty page", "", NULL, PUSH_GROUP_UNREAD},
	{"a line that does not end", OTHER "push_time_seconds{instance=\"\",job=\"shop", NULL,
	 PUSH_GROUP_UNREAD},
	{"lines of nothing", "\n\n\n" OURS("1"), "\n" OURS("1") "\n", PUSH_GROUP_OWN},
};

static enum push_group read_page(struct group_watch *w, const char *page, size_t step)
{
	static struct guard guard;
	size_t len = strlen(page);

	group_watch_begin(w);
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;
		char *copy = guard_room(&guard, n);

		memcpy(copy, page + at, n);
		if (!group_watch_read(w, (struct span){copy, n}))
			return group_watch_end(w, false);
	}
	return group_watch_end(w, true);
}

static void test_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 1; step < 300; step = step * 2 + 1) {
			struct group_watch w;
			enum push_group got;

			assert_true(group_watch_init(&w, group, 2));
			assert_true(group_watch_accepted(&w));
			got = read_page(&w, rows[i].after, step);
			assert_int_equal(group_watch_is_pending(&w), rows[i].before != NULL);
			if (rows[i].before)
				got = read_page(&w, rows[i].before, step);
			if (got != rows[i].want)
				fail_msg("%s, in steps of %zu: %s", rows[i].why, step,
					 push_group_name(got));
			assert_false(group_watch_is_pending(&w));
			group_watch_release(&w);
		}
	}
}

/* What is missing was not deleted by anybody. */
static void test_cut_page(void **state)
{
	struct group_watch w;

	(void)state;
	assert_true(group_watch_init(&w, group, 2));
	assert_int_equal(read_page(&w, OURS("1"), 99), PUSH_GROUP_OWN);
	group_watch_begin(&w);
	assert_true(group_watch_read(&w, (struct span){OTHER, strlen(OTHER)}));
	assert_int_equal(group_watch_end(&w, false), PUSH_GROUP_UNREAD);
	group_watch_release(&w);
}

static void test_page_too_long(void **state)
{
	static char text[1 << 16];
	struct group_watch w;
	size_t bytes = 0;

	(void)state;
	memset(text, '\n', sizeof(text));
	assert_true(group_watch_init(&w, group, 2));
	group_watch_begin(&w);
	while (group_watch_read(&w, (struct span){text, sizeof(text)}))
		bytes += sizeof(text);
	assert_int_equal(bytes, GROUP_PAGE_MAX);
	assert_int_equal(group_watch_end(&w, false), PUSH_GROUP_UNREAD);
	group_watch_release(&w);
}

static void test_gzip(void **state)
{
	static const char page[] = HEAD OTHER OURS("1.75e+09");
	unsigned char packed[1024];
	z_stream z = {0};
	size_t len;

	(void)state;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)page;
	z.avail_in = sizeof(page) - 1;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = sizeof(packed) - z.avail_out;
	(void)deflateEnd(&z);
	for (size_t broken = 0; broken < 2; broken++) {
		struct group_watch w;

		packed[20] ^= (unsigned char)(broken ? 0xff : 0);
		assert_true(group_watch_init(&w, group, 2));
		group_watch_begin(&w);
		for (size_t i = 0; i < len; i++)
			if (!group_watch_read(&w, (struct span){(char *)packed + i, 1}))
				break;
		assert_int_equal(group_watch_end(&w, true),
				 broken ? PUSH_GROUP_UNREAD : PUSH_GROUP_OWN);
		assert_int_equal(group_watch_is_pending(&w), !broken);
		group_watch_release(&w);
	}
}

static void test_how_often(void **state)
{
	struct group_watch w;
	unsigned reads = 0;

	(void)state;
	assert_true(group_watch_init(&w, group, 2));
	for (unsigned i = 1; i <= 3072; i++)
		reads += group_watch_accepted(&w);
	assert_int_equal(reads, 5 + 3); /* 1, 4, 16, 64, 256; 1024, 2048, 3072 */
	group_watch_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),	      cmocka_unit_test(test_cut_page),
		cmocka_unit_test(test_page_too_long), cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_how_often),
	};

	return cmocka_run_group_tests_name("group_watch", tests, NULL, NULL);
}
