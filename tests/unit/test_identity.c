/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/identity.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

static void test_job(void **state)
{
	static const struct {
		const char *why;
		struct identity_words words;
		const char *want;
	} rows[] = {
		{"nothing said", {0}, "sidelight"},
		{"the workload", {.workload = "cart"}, "cart"},
		{"an empty word is no word", {.job = "", .workload = "cart"}, "cart"},
		{"the one said wins", {.job = "shop", .workload = "cart"}, "shop"},
		{"a Pod's name is no workload", {.pod = "cart-5d9c7-x2x"}, "sidelight"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct identity id;

		identity_init(&id, &rows[i].words);
		if (strcmp(id.job, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].why, id.job);
	}
}

static void test_instance(void **state)
{
	struct identity id;
	char host[256] = "";

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	identity_init(&id, &(struct identity_words){0});
	assert_string_equal(id.instance, host);
	identity_init(&id, &(struct identity_words){.pod = "p", .namespace = "n", .node = "k"});
	assert_string_equal(id.instance, "");
	assert_string_equal(id.pod, "p");
	assert_string_equal(id.namespace, "n");
	assert_string_equal(id.node, "k");
	assert_string_equal(id.workload, "");
}

static void test_bytes(void **state)
{
	static const struct {
		const char *why;
		const char *word;
		const char *want;
	} rows[] = {
		{"letters of any script", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9d",
		 "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9d"},
		{"line ends", "a\nb\x7f", "a_b_"},
		{"control characters of two bytes",
		 "a\xc2\x9b"
		 "1m\xc2\x85",
		 "a__1m__"},
		{"the first character behind them", "\xc2\xa0", "\xc2\xa0"},
		{"a lone continuation byte", "a\x80z", "a_z"},
		{"a cut character", "a\xe2\x82", "a__"},
		{"an overlong form", "\xc0\xaf", "__"},
		{"a surrogate", "\xed\xa0\x80", "___"},
		{"beyond Unicode", "\xf4\x90\x80\x80", "____"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct identity id;

		identity_init(&id, &(struct identity_words){.node = rows[i].word});
		if (strcmp(id.node, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].why, id.node);
	}
}

/* Cut below the limit, and never inside a character. */
static void test_length(void **state)
{
	char word[IDENTITY_VALUE_MAX * 2] = "";
	struct identity id;

	(void)state;
	for (size_t shift = 0; shift < 2; shift++) {
		memset(word, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof(word); i += 2)
			memcpy(word + i, "\xc3\xa9", 2);
		identity_init(&id, &(struct identity_words){.workload = word});
		assert_int_equal(strlen(id.workload), shift ? 255 : 254);
		assert_memory_equal(id.workload, word, strlen(id.workload));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_instance),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
