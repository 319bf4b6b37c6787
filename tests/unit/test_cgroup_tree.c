/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through a tree of cgroups, on ordinary directories: what is left out is said.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pod/cgroup_tree.h"

struct seen {
	unsigned count;
	unsigned stop_at; /* 0: never */
	size_t longest; /* path */
};

static bool log_entry(void *ctx, const struct cgroup_tree_entry *entry)
{
	struct seen *s = ctx;
	size_t len = strlen(entry->path);

	s->longest = len > s->longest ? len : s->longest;
	return ++s->count == s->stop_at;
}

/* Makes so many directories, each below the one before; returns the descriptor of the top. */
static int make_chain(char *top, unsigned depth)
{
	int fd;

	assert_non_null(mkdtemp(top));
	fd = open(top, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < depth; i++) {
		int below;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(below >= 0);
		(void)close(fd);
		fd = below;
	}
	(void)close(fd);
	return open(top, O_RDONLY | O_DIRECTORY);
}

static void remove_chain(const char *top)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -r %s", top);
	assert_int_equal(system(command), 0);
}

static void test_walk(void **state)
{
	static const struct {
		unsigned depth;
		unsigned stop_at;
		int want;
		unsigned count;
	} rows[] = {
		{0, 0, 0, 1},	{3, 0, 0, 4},	     {3, 2, 0, 2},
		{33, 0, 0, 34}, {34, 0, -E2BIG, 34}, {60, 0, -E2BIG, 34},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char top[] = "/tmp/sidelight-tree-XXXXXX";
		int fd = make_chain(top, rows[i].depth);
		struct seen seen = {.stop_at = rows[i].stop_at};
		int got = cgroup_tree_each(fd, "", log_entry, &seen);

		(void)close(fd);
		remove_chain(top);
		if (got != rows[i].want || seen.count != rows[i].count ||
		    seen.longest != 2 * (rows[i].count - 1))
			fail_msg("row %zu: %d, %u, %zu", i, got, seen.count, seen.longest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_walk)};

	return cmocka_run_group_tests_name("cgroup_tree", tests, NULL, NULL);
}
