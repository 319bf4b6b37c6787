/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of gRPC-Go in a program, and the instruction of each that is probed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "elf/go_grpc.h"
#include "elf_image.h"

#define PACKAGE "google.golang.org/grpc/internal/transport."
#define READS	PACKAGE "(*http2Server).operateHeaders"
#define WRITES	PACKAGE "(*loopyWriter).writeHeader"
#define SECOND	0x500 /* the place of a second function */

/* Two symbols: of the function of the image, and of the second one. */
static void add_symbols(uint8_t *image, const char *first, const char *second)
{
	Elf64_Sym *symbols = (Elf64_Sym *)(image + IMAGE_SYMBOLS);
	Elf64_Shdr *sections = (Elf64_Shdr *)(image + IMAGE_SECTIONS);
	size_t at = strlen(first) + 2;

	image_symbol(image, first);
	symbols[2] = symbols[1];
	symbols[2].st_name = (Elf64_Word)at;
	symbols[2].st_value = IMAGE_BASE + SECOND;
	memcpy(image + IMAGE_NAMES + at, second, strlen(second) + 1);
	sections[1].sh_size = 3 * sizeof(Elf64_Sym);
	sections[2].sh_size = at + strlen(second) + 1;
}

static int find(const uint8_t *image, struct go_grpc_sites *ret)
{
	int fd = image_open(image, IMAGE_BYTES);
	int err;

	assert_true(fd >= 0);
	err = go_grpc_find_of(fd, EM_X86_64, ret);
	assert_int_equal(close(fd), 0);
	return err;
}

static void test_instructions(void **state)
{
	static const struct {
		const char *why;
		char code[16];
		int at; /* -1: it cannot be probed */
	} rows[] = {
		{"a small frame", "\x49\x3b\x66\x10\x76\x20", 4},
		{"a small frame, a far jump", "\x49\x3b\x66\x10\x0f\x86\x10\0\0\0", 4},
		{"a frame", "\x4c\x8d\x64\x24\xd8\x4d\x3b\x66\x10\x0f\x86", 9},
		{"a large frame", "\x4c\x8d\xa4\x24\x38\xff\xff\xff\x4d\x3b\x66\x10\x0f\x86", 12},
		{"no comparison", "\x55\x48\x89\xe5\x90\x90\x90\x90", -1},
		{"no jump", "\x49\x3b\x66\x10\x90\x90\x90\x90", -1},
		{"another register", "\x4c\x8d\x64\x24\xd8\x49\x3b\x66\x10\x0f\x86", -1},
	};
	struct go_grpc_sites sites;
	uint8_t image[IMAGE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err;

		image_build(image);
		add_symbols(image, WRITES, READS);
		memset(image + IMAGE_FUNCTION, 0x90, 16);
		memcpy(image + IMAGE_FUNCTION, rows[i].code, 14);
		memcpy(image + SECOND, rows[0].code, 6);
		err = find(image, &sites);
		if (err != (rows[i].at < 0 ? -EOPNOTSUPP : 0))
			fail_msg("%s: %d", rows[i].why, err);
		if (err)
			continue;
		assert_int_equal(sites.offset[GO_GRPC_WRITES], IMAGE_FUNCTION + rows[i].at);
		assert_int_equal(sites.offset[GO_GRPC_SERVER_READS], SECOND + 4);
		assert_int_equal(sites.offset[GO_GRPC_CLIENT_READS], 0);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		int want;
	} rows[] = {
		{WRITES, READS, 0},
		{WRITES, PACKAGE "(*http2Client).operateHeaders", 0},
		{WRITES, "x", -ENOENT}, /* one that reads tells the ends of the connection */
		{"x", READS, -ENOENT},
		{WRITES, "vendor/" READS, -ENOENT},
		{"crypto/tls.(*Config).writeKeyLog", "main.main", -ENOENT},
	};
	struct go_grpc_sites sites;
	uint8_t image[IMAGE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		image_build(image);
		add_symbols(image, rows[i].first, rows[i].second);
		memcpy(image + IMAGE_FUNCTION, "\x49\x3b\x66\x10\x76\x20", 6);
		memcpy(image + SECOND, "\x49\x3b\x66\x10\x76\x20", 6);
		if (find(image, &sites) != rows[i].want)
			fail_msg("%s, %s", rows[i].first, rows[i].second);
	}
}

static void test_no_program(void **state)
{
	struct go_grpc_sites sites;
	uint8_t image[IMAGE_BYTES];
	int fd = image_open((const uint8_t *)"#!/bin/sh\n", 10);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(go_grpc_find(fd, &sites), -ENOEXEC);
	assert_int_equal(close(fd), 0);
	image_build(image);
	fd = image_open(image, sizeof(image));
	assert_int_equal(go_grpc_find_of(fd, EM_AARCH64, &sites), -ENOTSUP);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_program),
	};

	return cmocka_run_group_tests_name("go_grpc", tests, NULL, NULL);
}
