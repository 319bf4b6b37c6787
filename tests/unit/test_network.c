/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a network namespace, by files below a directory that stands for "/". */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pod/network.h"

#define IP  "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
#define TCP "Tcp: RtoAlgorithm MaxConn ActiveOpens PassiveOpens AttemptFails\n"

static const struct row {
	const char *why;
	const char *snmp; /* NULL: there is no such file */
	const char *sysctl; /* below /proc/sys/net/core */
	int want;
	uint64_t count;
} rows[] = {
	{"both kinds are counted, other protocols are skipped", IP TCP "Tcp: 1 -1 20 3 8\n",
	 "somaxconn", 0, 23},
	{"a new namespace", TCP "Tcp: 1 -1 0 0 0\n", "somaxconn", 0, 0},
	{"what only the node's namespace has", TCP "Tcp: 1 -1 20 3 8\n", "netdev_max_backlog",
	 -EXDEV, 0},
	{"no TCP in it", IP, "somaxconn", -ENOENT, 0},
	{"cut before the values", IP TCP, "somaxconn", -ENOENT, 0},
	{"cut among the values", TCP "Tcp: 1 -1 20\n", "somaxconn", -ENOENT, 0},
	{"no number", TCP "Tcp: 1 -1 x 3 8\n", "somaxconn", -ENOENT, 0},
	{"one of the names is missing", "Tcp: MaxConn ActiveOpens\nTcp: -1 5\n", "somaxconn",
	 -ENOENT, 0},
	{"an empty file", "", "somaxconn", -ENOENT, 0},
	{"no file", NULL, "somaxconn", -ENOENT, 0},
};

static void make_dirs(const char *root)
{
	static const char *const dirs[] = {"/proc",	"/proc/self",	 "/proc/self/net",
					   "/proc/sys", "/proc/sys/net", "/proc/sys/net/core"};
	char path[200];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", root, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static void write_file(const char *root, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s%s", root, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void check(const struct row *row)
{
	char root[] = "/tmp/sidelight-network-XXXXXX";
	char words[100];
	uint64_t count = 0;
	int got;

	assert_non_null(mkdtemp(root));
	make_dirs(root);
	(void)snprintf(words, sizeof(words), "/proc/sys/net/core/%s", row->sysctl);
	write_file(root, words, "1000\n");
	if (row->snmp)
		write_file(root, "/proc/self/net/snmp", row->snmp);
	got = network_connections(root, &count);
	(void)snprintf(words, sizeof(words), "rm -r %s", root);
	assert_int_equal(system(words), 0);
	if (got != row->want || count != row->count)
		fail_msg("%s: got %d, %llu", row->why, got, (unsigned long long)count);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
