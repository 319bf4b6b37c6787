/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/key_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>

#include "elf_image.h"

static int find(const uint8_t *image, size_t len, struct key_log_site *ret_site)
{
	int fd = image_open(image, len);
	int err;

	assert_true(fd >= 0);
	err = key_log_find_of(fd, EM_X86_64, ret_site);
	assert_int_equal(close(fd), 0);
	return err;
}

static void assert_is_openssl(const struct key_log_site *site)
{
	assert_int_equal(site->registers.in[KEY_LOG_LABEL], AMD64_DI);
	assert_int_equal(site->registers.in[KEY_LOG_RANDOM], AMD64_DX);
	assert_int_equal(site->registers.in[KEY_LOG_SECRET], AMD64_R8);
	assert_int_equal(site->registers.in[KEY_LOG_LENGTH], AMD64_R9);
	assert_false(site->is_go);
}

static void test_labels(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	image_build(image);
	assert_int_equal(find(image, sizeof(image), &site), 0);
	assert_is_openssl(&site);
	assert_int_equal(site.offset, IMAGE_FUNCTION + IMAGE_JUMP);
	/* One label that is passed somewhere proves nothing. */
	memset(image + IMAGE_CODE + 0x20, 0x90, 15);
	assert_int_equal(find(image, sizeof(image), &site), -ENOENT);
}

static void test_symbols(void **state)
{
	static const struct {
		const char *why;
		const char *name;
		int label; /* the register; -1: not found */
	} rows[] = {
		{"OpenSSL's tail call has the client random", "ssl_log_secret", AMD64_DI},
		{"GnuTLS has the same arguments", "_gnutls_call_keylog_func", AMD64_DI},
		{"BoringSSL's name is that of a C++ function",
		 "_ZN4bssl14ssl_log_secretEPK6ssl_stPKcNS_4SpanIKhEE", AMD64_DI},
		{"the name must be whole", "ssl_log_secret_x", -1},
		{"a name that ends like it is another", "xssl_log_secret", -1},
	};
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err;

		image_build(image);
		memset(image + IMAGE_CODE, 0x90, 0x40); /* nothing passes labels */
		image_symbol(image, rows[i].name);
		err = find(image, sizeof(image), &site);
		if (err != (rows[i].label < 0 ? -ENOENT : 0))
			fail_msg("%s: %d", rows[i].why, err);
		if (!err)
			assert_int_equal(site.registers.in[KEY_LOG_LABEL], rows[i].label);
	}
}

static void test_go_table(void **state)
{
	static const struct {
		const char *why;
		const char *name;
		uint64_t text;
		bool has_function;
		int want;
	} rows[] = {
		{"a stripped program of Go", "crypto/tls.(*Config).writeKeyLog", IMAGE_BASE, true,
		 0},
		{"another function", "crypto/tls.(*Config).writeKeyLogs", IMAGE_BASE, true,
		 -ENOENT},
		{"a name that ends like it", "a/crypto/tls.(*Config).writeKeyLog", IMAGE_BASE, true,
		 -ENOENT},
		{"code that Go does not make", "crypto/tls.(*Config).writeKeyLog", IMAGE_BASE,
		 false, -EOPNOTSUPP},
		{"no code at all, and no section", "crypto/tls.(*Config).writeKeyLog", 0, true,
		 -ENOENT},
	};
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err;

		image_build(image);
		memset(image + IMAGE_LABELS, 0, IMAGE_FUNCTION - IMAGE_LABELS);
		image_go_table(image, rows[i].name, rows[i].text);
		if (!rows[i].has_function)
			memset(image + IMAGE_FUNCTION, 0x90, 16);
		err = find(image, sizeof(image), &site);
		if (err != rows[i].want)
			fail_msg("%s: %d", rows[i].why, err);
		if (!err) {
			assert_true(site.is_go);
			assert_int_equal(site.offset, IMAGE_FUNCTION + 4);
			assert_int_equal(site.registers.in[KEY_LOG_RANDOM], AMD64_DI);
		}
	}
}

static void test_refused(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;
	int pipe_fds[2];

	(void)state;
	image_build(image);
	header->e_machine = EM_AARCH64;
	assert_int_equal(find(image, sizeof(image), &site), -ENOTSUP);
	image_build(image);
	memset(image + IMAGE_FUNCTION, 0xc3, sizeof(image_function)); /* ret: never emulated */
	assert_int_equal(find(image, sizeof(image), &site), -EOPNOTSUPP);
	image_build(image);
	header->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(find(image, sizeof(image), &site), -ENOEXEC);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(key_log_find_of(pipe_fds[0], EM_X86_64, &site), -ENOEXEC);
	assert_int_equal(close(pipe_fds[0]), 0);
	assert_int_equal(close(pipe_fds[1]), 0);
}

/* A file that ends anywhere is read to its end and no further. */
static void test_cut(void **state)
{
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	image_build(image);
	image_symbol(image, "ssl_log_secret");
	for (size_t len = 0; len < sizeof(image); len++)
		assert_int_equal(find(image, len, &site), -ENOEXEC);
}

/* Each byte of the headers takes its extreme values. */
static void test_bytes_changed(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	uint8_t image[IMAGE_BYTES];
	struct key_log_site site;

	(void)state;
	for (size_t at = 0; at < sizeof(image); at++) {
		if (at == sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))
			at = IMAGE_SYMBOLS;
		if (at == IMAGE_NAMES)
			at = IMAGE_SECTIONS;
		if (at == IMAGE_SECTIONS + 3 * sizeof(Elf64_Shdr))
			break;
		for (size_t v = 0; v < sizeof(values); v++) {
			image_build(image);
			image_symbol(image, "ssl_log_secret");
			image[at] = values[v];
			if (find(image, sizeof(image), &site) == 0)
				assert_true(site.offset < sizeof(image));
		}
	}
}

static void test_probe_points(void **state)
{
	static const struct {
		const char *why;
		const char *code;
		size_t len;
		int at;
		uint8_t secret; /* its register */
	} rows[] = {
#define CODE(bytes) bytes, sizeof(bytes) - 1
		{"push keeps all arguments", CODE("\x41\x57\x41\x56"), 0, AMD64_DX},
		{"jcc behind the stack protector's load, as in GnuTLS",
		 CODE("\x48\x83\xec\x28\x4c\x8b\x87\x60\x06\x00\x00\x64\x48\x8b\x04\x25\x28\x00\x00"
		      "\x00\x48\x89\x44\x24\x18\x31\xc0\x4d\x85\xc0\x74\x0e"),
		 30, AMD64_DX},
		{"the secret is in another register now", CODE("\x48\x89\xd3\x31\xd2\x50"), 5,
		 AMD64_BX},
		{"half of a pointer is no pointer", CODE("\x89\xd3\x31\xd2\x50"), -1, 0},
		{"the label is overwritten", CODE("\x31\xf6\x50"), -1, 0},
		{"an instruction that is not known", CODE("\x0f\xa2\x50"), -1, 0},
		{"ret is single-stepped", CODE("\xc3\x50"), -1, 0},
		{"push of 16 bits is single-stepped", CODE("\x66\x50"), -1, 0},
		{"code that ends", CODE("\x48\x83"), -1, 0},
#undef CODE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_log_registers r = {{[KEY_LOG_SESSION] = AMD64_DI,
					       [KEY_LOG_LABEL] = AMD64_SI,
					       [KEY_LOG_SECRET] = AMD64_DX,
					       [KEY_LOG_LENGTH] = AMD64_CX,
					       [KEY_LOG_RANDOM] = KEY_LOG_NOWHERE}};
		int at = probe_point_find((const uint8_t *)rows[i].code, rows[i].len, &r);

		if (at != rows[i].at)
			fail_msg("%s: %d", rows[i].why, at);
		if (at >= 0)
			assert_int_equal(r.in[KEY_LOG_SECRET], rows[i].secret);
	}
}

#ifdef __x86_64__
/* Opcodes that arch/x86/kernel/uprobes.c emulates. */
static bool is_emulated(const uint8_t *code)
{
	return (code[0] & 0xf8) == 0x50 || (code[0] == 0x41 && (code[1] & 0xf8) == 0x50) ||
	       code[0] == 0xe8 || code[0] == 0xe9 || code[0] == 0xeb || (code[0] & 0xf0) == 0x70 ||
	       (code[0] == 0x0f && (code[1] & 0xf0) == 0x80);
}

/* Debian strips its libraries. */
static void test_libraries(void **state)
{
	static const struct {
		const char *pattern;
		uint8_t label; /* its register */
		bool has_random;
	} rows[] = {
		{"/usr/lib/x86_64*/libssl.so.3", AMD64_DI, true},
		{"/usr/lib/x86_64*/libgnutls.so.30", AMD64_SI, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_log_site site;
		uint8_t code[2];
		glob_t found;
		int fd;

		assert_int_equal(glob(rows[i].pattern, 0, NULL, &found), 0);
		fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(key_log_find(fd, &site), 0);
		assert_int_equal(pread(fd, code, sizeof(code), (off_t)site.offset), sizeof(code));
		assert_true(is_emulated(code));
		assert_int_equal(site.registers.in[KEY_LOG_LABEL], rows[i].label);
		assert_int_equal(site.registers.in[KEY_LOG_RANDOM] != KEY_LOG_NOWHERE,
				 rows[i].has_random);
		assert_int_equal(close(fd), 0);
		globfree(&found);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),	     cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_go_table),     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),	     cmocka_unit_test(test_bytes_changed),
		cmocka_unit_test(test_probe_points),
#ifdef __x86_64__
		cmocka_unit_test(test_libraries),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
