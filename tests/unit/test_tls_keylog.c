/* SPDX-License-Identifier: Apache-2.0 */
/* Key logs, well-formed and malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tls/keylog.h"

#define RANDOM "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1C1"
#define S16    "000102030405060708090a0b0c0d0e0f"
#define S32    S16 S16
#define S48    S16 S16 S16

static const struct {
	const char *why;
	const char *text;
	unsigned lines;
	unsigned secrets;
	unsigned malformed;
	unsigned first_malformed;
} logs[] = {
	{"nothing", "", 0, 0, 0, 0},
	{"comments and empty lines are not counted", "# a\n\n \r\n#\n", 0, 0, 0, 0},
	{"TLS 1.2", "CLIENT_RANDOM " RANDOM " " S48 "\n", 1, 1, 0, 0},
	{"the last line need not end", "CLIENT_RANDOM " RANDOM " " S48, 1, 1, 0, 0},
	{"lines end as on Windows, too", "CLIENT_RANDOM " RANDOM " " S48 "\r\n", 1, 1, 0, 0},
	{"TLS 1.3, hashes of 32 and 48 bytes",
	 "CLIENT_EARLY_TRAFFIC_SECRET " RANDOM " " S32 "\n"
	 "CLIENT_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " S32 "\n"
	 "SERVER_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " S48 "\n"
	 "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " S48 "\n"
	 "SERVER_TRAFFIC_SECRET_0 " RANDOM " " S32 "\n",
	 5, 5, 0, 0},
	{"labels that are not needed are not malformed",
	 "EXPORTER_SECRET " RANDOM " " S32 "\nRSA 0011 2233\nCLIENT_TRAFFIC_SECRET_N 00 11\n", 3, 0,
	 0, 0},
	{"a file may end in the middle of a line",
	 "CLIENT_RANDOM " RANDOM " " S48 "\nCLIENT_RANDOM " RANDOM " " S32, 2, 1, 1, 2},
	{"comments count for line numbers", "#\n\nhello\nCLIENT_RANDOM\n", 2, 0, 2, 3},
	{"a random that is too short", "CLIENT_RANDOM c1c1 " S48, 1, 0, 1, 1},
	{"a random that is too long", "CLIENT_RANDOM " RANDOM "00 " S48, 1, 0, 1, 1},
	{"an odd number of digits", "CLIENT_RANDOM " RANDOM " " S48 "0", 1, 0, 1, 1},
	{"no hexadecimal", "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " S16 S16 "0x", 1, 0, 1, 1},
	{"a secret of another length", "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " S16, 1, 0, 1, 1},
	{"a master secret has 48 bytes", "CLIENT_RANDOM " RANDOM " " S32, 1, 0, 1, 1},
	{"more words than there are", "CLIENT_RANDOM " RANDOM " " S48 " " S48, 1, 0, 1, 1},
	{"another label, and no hexadecimal", "EXPORTER_SECRET x y\nEXPORTER_SECRET 00\n", 2, 0, 2,
	 1},
	{"labels are written in capitals", "client_random " RANDOM " " S48, 1, 0, 1, 1},
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct tls_secrets *s = tls_secrets_new(8);
		struct tls_keylog_stats stats = {0};

		tls_keylog_add(s, span_of(logs[i].text), &stats);
		if (stats.lines != logs[i].lines || stats.secrets != logs[i].secrets ||
		    stats.malformed != logs[i].malformed ||
		    stats.first_malformed != logs[i].first_malformed)
			fail_msg("%s", logs[i].why);
		assert_int_equal(tls_secrets_sessions(s), logs[i].secrets > 0);
		tls_secrets_free(s);
	}
}

static void test_values(void **state)
{
	struct tls_secrets *s = tls_secrets_new(8);
	struct tls_keylog_stats stats = {0};
	const struct tls_session_secrets *e;
	uint8_t random[TLS_RANDOM_BYTES];

	(void)state;
	memset(random, 0xc1, sizeof(random));
	tls_keylog_add(s, span_of("CLIENT_TRAFFIC_SECRET_0 " RANDOM " " S32 "\n"), &stats);
	e = tls_secrets_find(s, random);
	assert_non_null(e);
	assert_ptr_equal(tls_secrets_newest(s), e);
	for (int kind = 0; kind < TLS_SECRET_MAX; kind++)
		assert_int_equal(e->len[kind], kind == TLS_SECRET_CLIENT_TRAFFIC ? 32 : 0);
	for (uint8_t i = 0; i < 32; i++)
		assert_int_equal(e->value[TLS_SECRET_CLIENT_TRAFFIC][i], i % 16);
	random[31] = 0;
	assert_null(tls_secrets_find(s, random));
	tls_secrets_free(s);
}

static void test_the_table_is_bounded(void **state)
{
	struct tls_secrets *s = tls_secrets_new(3);
	struct tls_keylog_stats stats = {0};
	char line[256];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5; i++) {
			(void)snprintf(line, sizeof(line),
				       "CLIENT_RANDOM %02x%.62s " S48 "\n# more", i, RANDOM);
			tls_keylog_add(s, span_of(line), &stats);
		}
	}
	assert_int_equal(tls_secrets_sessions(s), 3);
	assert_int_equal(stats.secrets, 6);
	assert_int_equal(stats.dropped, 4);
	assert_int_equal(tls_secrets_dropped(s), 4);
	tls_secrets_free(s);
}

/* The file that holds `text`, `times` times. */
static int read_file(const char *text, size_t times, struct tls_keylog_stats *stats,
		     struct text *error)
{
	char path[] = "/tmp/test_tls_keylog.XXXXXX";
	struct tls_secrets *s = tls_secrets_new(8);
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	int rc;

	assert_non_null(file);
	for (size_t i = 0; i < times; i++)
		assert_int_equal(fputs(text, file) < 0, false);
	assert_int_equal(fclose(file), 0);
	*stats = (struct tls_keylog_stats){0};
	text_clear(error);
	rc = tls_keylog_read(s, path, stats, error);
	assert_int_equal(unlink(path), 0);
	tls_secrets_free(s);
	return rc;
}

static void test_files(void **state)
{
	struct tls_keylog_stats stats;
	struct text error;

	(void)state;
	text_init(&error);
	assert_int_equal(read_file("", 0, &stats, &error), 0);
	/* More than one buffer, cut anywhere. */
	assert_int_equal(read_file("CLIENT_RANDOM " RANDOM " " S48 "\n", 5000, &stats, &error), 0);
	assert_int_equal(stats.secrets, 5000);
	assert_int_equal(stats.malformed, 0);
	assert_int_equal(read_file("GET / HTTP/1.1\n", 2, &stats, &error), -1);
	assert_non_null(strstr(error.ptr, "not a key log"));
	/* One endless line. */
	assert_int_equal(read_file("CLIENT_RANDOM ", 20000, &stats, &error), -1);
	assert_non_null(strstr(error.ptr, "not a key log"));
	assert_int_equal(read_file(RANDOM RANDOM RANDOM RANDOM, 300000, &stats, &error), -1);
	assert_non_null(strstr(error.ptr, "longer than 64 MiB"));
	assert_null(strstr(error.ptr, "c1c1"));
	text_clear(&error);
	assert_int_equal(tls_keylog_read(NULL, "/nowhere/keys", &stats, &error), -1);
	assert_string_equal(error.ptr, "No such file or directory");
	text_clear(&error);
	assert_int_equal(tls_keylog_read(NULL, "/", &stats, &error), -1);
	assert_string_equal(error.ptr, "Is a directory");
	text_release(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_the_table_is_bounded),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
