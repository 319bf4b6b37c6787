/* SPDX-License-Identifier: Apache-2.0 */
/* Rooms: eviction, and the order of waiting. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "webhook/room.h"

#define CAPACITY 8

static uint64_t key_of(const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return room_key((struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return room_key((struct sockaddr *)&v6);
}

static void test_keys(void **state)
{
	(void)state;
	assert_int_not_equal(key_of("10.0.0.1"), key_of("10.0.0.2"));
	assert_int_equal(key_of("10.0.0.1"), key_of("::ffff:10.0.0.1"));
	assert_int_equal(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:2:ffff::9"));
	assert_int_not_equal(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1"));
}

/* Members a to h, for sources by the letters of `sources`. */
static void fill(struct room *r, struct room_member *members, const char *sources)
{
	assert_int_equal(room_init(r, CAPACITY), 0);
	for (size_t i = 0; sources[i]; i++)
		room_enter(r, &members[i], (uint64_t)sources[i]);
}

static void test_who_gives_way(void **state)
{
	static const struct {
		const char *why;
		const char *sources;
		char want; /* the source */
	} rows[] = {
		{"a flood competes with itself", "aaaaaaab", 'a'},
		{"however late it came", "baaaaaaa", 'a'},
		{"of equals, the oldest", "abcdefgh", 'a'},
		{"of equals, the one with the oldest member", "cbabac", 'c'},
		{"the largest, not the oldest", "abcdeff", 'f'},
		{"the only one", "a", 'a'},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct room_member members[CAPACITY] = {{0}};
		struct room r;

		fill(&r, members, rows[i].sources);
		if (room_largest(&r)->key != (uint64_t)rows[i].want)
			fail_msg("%s: %c", rows[i].why, (char)room_largest(&r)->key);
		room_release(&r);
	}
}

/* Sixty-four sources flood; the one with a single member is never the one that gives way. */
static void test_the_single_one_stays(void **state)
{
	static struct room_member members[1000];
	struct room_member honest = {0};
	struct room r;

	(void)state;
	assert_int_equal(room_init(&r, 128), 0);
	room_enter(&r, &honest, 1000);
	for (size_t i = 0; i < 1000; i++) {
		if (room_is_full(&r))
			room_leave(&r, room_largest(&r)->oldest);
		room_enter(&r, &members[i], i % 64);
	}
	assert_int_equal(r.count, 128);
	assert_non_null(honest.source);
	assert_int_equal(room_count_of(&r, 1000), 1);
	assert_ptr_equal(room_oldest_of(&r, 1000), &honest);
	assert_null(room_oldest_of(&r, 1001));
	room_release(&r);
}

static void test_turns(void **state)
{
	struct room_member members[CAPACITY] = {{0}};
	char order[CAPACITY + 1] = "";
	struct room r;

	(void)state;
	fill(&r, members, "aaaabbcd");
	for (size_t i = 0; i < CAPACITY; i++) {
		struct room_member *m = room_next(&r);

		order[i] = (char)m->source->key;
		room_leave(&r, m);
	}
	assert_string_equal(order, "abcdabaa");
	assert_null(room_next(&r));
	assert_null(room_largest(&r));
	room_release(&r);
}

static void test_touch(void **state)
{
	struct room_member members[CAPACITY] = {{0}};
	struct room r;

	(void)state;
	fill(&r, members, "aaa");
	room_touch(&r, &members[0]);
	assert_ptr_equal(room_largest(&r)->oldest, &members[1]);
	assert_ptr_equal(room_largest(&r)->newest, &members[0]);
	room_leave(&r, &members[2]);
	assert_ptr_equal(members[1].newer, &members[0]);
	assert_int_equal(r.count, 2);
	room_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_who_gives_way),
		cmocka_unit_test(test_the_single_one_stays),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_touch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
