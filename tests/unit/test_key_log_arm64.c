/* SPDX-License-Identifier: Apache-2.0 */
/* The search for a key-log function in code of arm64; the words are as binutils assembles them. */
#include "elf/arm64.h"
#include "elf/key_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "elf_image.h"

#define PACIASP	    0xd503233fu
#define STP_FP_LR   0xa9be7bfdu /* stp x29, x30, [sp, #-32]! */
#define NOP	    0xd503201fu
#define MOV_X0_X19  0xaa1303e0u
#define GO_PROLOGUE 0xf9400b90u /* ldr x16, [x28, #16] */

static void put(uint8_t *image, uint32_t at, uint32_t instruction)
{
	memcpy(image + at, &instruction, sizeof(instruction));
}

/* adrp xN, page; add xN, xN, #rest; mov x0, x19; bl the function */
static void put_call(uint8_t *image, uint32_t at, uint32_t label, uint32_t reg)
{
	/* All of the image is one page, whose address ends with zeros. */
	put(image, at, 0x90000000u | reg);
	put(image, at + 4, 0x91000000u | label << 10 | reg << 5 | reg);
	put(image, at + 8, reg ? MOV_X0_X19 : NOP);
	put(image, at + 12, 0x94000000u | (IMAGE_FUNCTION - (at + 12)) / 4);
}

static void build(uint8_t image[IMAGE_BYTES], uint32_t reg)
{
	image_build(image);
	((Elf64_Ehdr *)image)->e_machine = EM_AARCH64;
	memset(image + IMAGE_CODE, 0, IMAGE_SYMBOLS - IMAGE_CODE);
	put(image, IMAGE_FUNCTION, PACIASP);
	put(image, IMAGE_FUNCTION + 4, STP_FP_LR);
	put_call(image, IMAGE_CODE, IMAGE_LABELS, reg);
	put_call(image, IMAGE_CODE + 0x20, IMAGE_LABELS + 14, reg);
}

static int find(const uint8_t *image, struct key_log_site *ret_site)
{
	int fd = image_open(image, IMAGE_BYTES);
	int err;

	assert_true(fd >= 0);
	err = key_log_find_of(fd, EM_AARCH64, ret_site);
	assert_int_equal(close(fd), 0);
	return err;
}

static void test_labels(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	/* f(session, label, secret, length) */
	build(image, 1);
	assert_int_equal(find(image, &site), 0);
	assert_int_equal(site.offset, IMAGE_FUNCTION);
	assert_int_equal(site.registers.in[KEY_LOG_SESSION], 0);
	assert_int_equal(site.registers.in[KEY_LOG_LABEL], 1);
	assert_int_equal(site.registers.in[KEY_LOG_SECRET], 2);
	assert_int_equal(site.registers.in[KEY_LOG_LENGTH], 3);
	assert_int_equal(site.registers.in[KEY_LOG_RANDOM], KEY_LOG_NOWHERE);
	/* f(label, session, random, 32, secret, length) */
	build(image, 0);
	assert_int_equal(find(image, &site), 0);
	assert_int_equal(site.registers.in[KEY_LOG_LABEL], 0);
	assert_int_equal(site.registers.in[KEY_LOG_RANDOM], 2);
	assert_int_equal(site.registers.in[KEY_LOG_SECRET], 4);
	assert_int_equal(site.registers.in[KEY_LOG_LENGTH], 5);
}

static void test_not_found(void **state)
{
	static const struct {
		const char *why;
		uint32_t at;
		uint32_t instruction;
		int want;
	} rows[] = {
		{"one label that is passed somewhere proves nothing", IMAGE_CODE + 0x24, NOP,
		 -ENOENT},
		{"a label in a register that is no argument of this kind", IMAGE_CODE + 4,
		 0x91000000u | IMAGE_LABELS << 10 | 1 << 5 | 2, -ENOENT},
		{"a function in another file is called by a stub", IMAGE_FUNCTION, 0x90000010u,
		 -ENOENT},
		{"a stub behind bti", IMAGE_FUNCTION, 0xd503245fu, 0},
		{"a function that begins with svc cannot be probed", IMAGE_FUNCTION, 0xd4000001u,
		 -EOPNOTSUPP},
	};
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err;

		build(image, 1);
		put(image, rows[i].at, rows[i].instruction);
		err = find(image, &site);
		if (err != rows[i].want)
			fail_msg("%s: %d", rows[i].why, err);
	}
	build(image, 1);
	put(image, IMAGE_FUNCTION, 0xd503245fu);
	put(image, IMAGE_FUNCTION + 4, 0x90000010u);
	assert_int_equal(find(image, &site), -ENOENT);
}

static void test_symbols(void **state)
{
	static const struct {
		const char *name;
		uint8_t label, secret;
	} rows[] = {
		{"ssl_log_secret", 1, 2},
		{"nss_keylog_int", 0, 4},
		{"_gnutls_call_keylog_func", 1, 2},
		{"_ZN4bssl14ssl_log_secretEPK6ssl_stPKcNS_4SpanIKhEE", 1, 2},
		{"crypto/tls.(*Config).writeKeyLog", 1, 6},
	};
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(image, 1);
		memset(image + IMAGE_LABELS, 0, IMAGE_FUNCTION - IMAGE_LABELS);
		image_symbol(image, rows[i].name);
		assert_int_equal(find(image, &site), 0);
		assert_int_equal(site.offset, IMAGE_FUNCTION);
		assert_int_equal(site.registers.in[KEY_LOG_LABEL], rows[i].label);
		assert_int_equal(site.registers.in[KEY_LOG_SECRET], rows[i].secret);
		assert_int_equal(site.is_go, rows[i].secret == 6);
	}
}

static void test_go_table(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	build(image, 1);
	memset(image + IMAGE_LABELS, 0, IMAGE_FUNCTION - IMAGE_LABELS);
	image_go_table(image, "crypto/tls.(*Config).writeKeyLog", IMAGE_BASE);
	/* A table of amd64: its instructions have lengths of one byte. */
	assert_int_equal(find(image, &site), -ENOENT);
	image[IMAGE_GO_TABLE + 6] = 4;
	/* A function that begins otherwise is none of Go's. */
	assert_int_equal(find(image, &site), -EOPNOTSUPP);
	put(image, IMAGE_FUNCTION, GO_PROLOGUE);
	assert_int_equal(find(image, &site), 0);
	assert_true(site.is_go);
	assert_int_equal(site.offset, IMAGE_FUNCTION);
	assert_int_equal(site.registers.in[KEY_LOG_RANDOM], 3);
	assert_int_equal(site.registers.in[KEY_LOG_SECRET], 6);
	assert_int_equal(site.registers.in[KEY_LOG_LENGTH], 7);
}

/* Only code of the machine that was asked for. */
static void test_machines(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;
	int fd;

	(void)state;
	build(image, 1);
	fd = image_open(image, sizeof(image));
	assert_int_equal(key_log_find_of(fd, EM_X86_64, &site), -ENOTSUP);
	assert_int_equal(close(fd), 0);
	image_build(image);
	assert_int_equal(find(image, &site), -ENOTSUP);
	((Elf64_Ehdr *)image)->e_machine = EM_RISCV;
	fd = image_open(image, sizeof(image));
	assert_int_equal(key_log_find_of(fd, EM_RISCV, &site), -ENOTSUP);
	assert_int_equal(close(fd), 0);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *why;
		uint32_t first, second;
		uint64_t at;
		uint64_t want; /* 0: no address */
		uint8_t reg;
	} rows[] = {
		{"adrp and add of one register", 0xb0000001, 0x91008021, 0x400ffc, 0x401020, 1},
		{"the page before", 0xf0ffffe0, 0x91004000, 0x400000, 0x3ff010, 0},
		{"from one register into another", 0x90000008, 0x91004101, 0x400000, 0x400010, 1},
		{"adr", NOP, 0x10000100, 0x400000, 0x400024, 0},
		{"adr backwards", NOP, 0x10ffffe1, 0x400000, 0x400000, 1},
		{"an add without an adrp", NOP, 0x91008021, 0x400000, 0, 0},
		{"an add of 32 bits", 0x90000001, 0x11008021, 0x400000, 0, 0},
		{"an add that shifts its constant", 0x90000001, 0x91408021, 0x400000, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arm64_pages pages = {{0}};
		uint64_t address = 0;
		uint8_t reg = 0;
		bool has;

		(void)arm64_loads_address(&pages, rows[i].first, rows[i].at, &reg, &address);
		has = arm64_loads_address(&pages, rows[i].second, rows[i].at + 4, &reg, &address);
		if (has != (rows[i].want != 0) ||
		    (has && (address != rows[i].want || reg != rows[i].reg)))
			fail_msg("%s: %d, %lx", rows[i].why, has, (unsigned long)address);
	}
}

static void test_calls(void **state)
{
	uint64_t function = 0;

	(void)state;
	assert_true(arm64_is_call(0x94000010, 0x400000, &function));
	assert_int_equal(function, 0x400040);
	assert_true(arm64_is_call(0x97fffffe, 0x400010, &function));
	assert_int_equal(function, 0x400008);
	assert_false(arm64_is_call(0x14000010, 0x400000, &function)); /* b */
	assert_false(arm64_is_call(0xd63f0100, 0x400000, &function)); /* blr x8 */
}

static void test_probed(void **state)
{
	static const struct {
		const char *why;
		uint32_t instruction;
		bool want;
	} rows[] = {
		{"stp of the frame", STP_FP_LR, true},
		{"room on the stack", 0xd100c3ff, true},
		{"a copy of an argument, as in OpenSSL", 0xaa0103e4, true},
		{"a load, as in Go", GO_PROLOGUE, true},
		{"a branch if a register is zero", 0xb4000040, true},
		{"pointer authentication", PACIASP, true},
		{"a landing pad of indirect branches", 0xd503245f, true},
		{"nop", NOP, true},
		{"a load that opens an exclusive access", 0xc85f7c20, false},
		{"a store that ends it", 0xc8007c41, false},
		{"a register of the system", 0xd53bd040, false},
		{"a barrier", 0xd5033bbf, false},
		{"wait for an event", 0xd503205f, false},
		{"a system call", 0xd4000001, false},
		{"a breakpoint: somebody else's probe", 0xd4200000, false},
		{"ret", 0xd65f03c0, false},
		{"zeros", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (arm64_can_be_probed((const uint8_t *)&rows[i].instruction, 4) != rows[i].want)
			fail_msg("%s", rows[i].why);
	assert_false(arm64_can_be_probed((const uint8_t *)&rows[0].instruction, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),	 cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_symbols),	 cmocka_unit_test(test_go_table),
		cmocka_unit_test(test_machines), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_calls),	 cmocka_unit_test(test_probed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
