/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/key_log.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf/arm64.h"
#include "elf/file.h"
#include "elf/go_table.h"
#include "elf/labels.h"
#include "elf/symbols.h"

/*
 * Where the calling conventions of a machine have the arguments: System V's or AAPCS64, and that of
 * Go since 1.17 (src/cmd/compile/abi-internal.md), which passes a string or a slice in two or three
 * registers in a row, after the *Config.
 */
struct conventions {
	struct key_log_registers session_first;
	struct key_log_registers label_first;
	struct key_log_registers of_go;
};

static const struct conventions amd64 = {
	.session_first = {{
		[KEY_LOG_SESSION] = AMD64_DI,
		[KEY_LOG_LABEL] = AMD64_SI,
		[KEY_LOG_SECRET] = AMD64_DX,
		[KEY_LOG_LENGTH] = AMD64_CX,
		[KEY_LOG_RANDOM] = KEY_LOG_NOWHERE,
	}},
	.label_first = {{
		[KEY_LOG_LABEL] = AMD64_DI,
		[KEY_LOG_SESSION] = AMD64_SI,
		[KEY_LOG_RANDOM] = AMD64_DX,
		[KEY_LOG_SECRET] = AMD64_R8,
		[KEY_LOG_LENGTH] = AMD64_R9,
	}},
	.of_go = {{
		[KEY_LOG_SESSION] = KEY_LOG_NOWHERE,
		[KEY_LOG_LABEL] = AMD64_BX,
		[KEY_LOG_RANDOM] = AMD64_DI,
		[KEY_LOG_SECRET] = AMD64_R9,
		[KEY_LOG_LENGTH] = AMD64_R10,
	}},
};
static const struct conventions arm64 = {
	.session_first = {{
		[KEY_LOG_SESSION] = 0,
		[KEY_LOG_LABEL] = 1,
		[KEY_LOG_SECRET] = 2,
		[KEY_LOG_LENGTH] = 3,
		[KEY_LOG_RANDOM] = KEY_LOG_NOWHERE,
	}},
	.label_first = {{
		[KEY_LOG_LABEL] = 0,
		[KEY_LOG_SESSION] = 1,
		[KEY_LOG_RANDOM] = 2,
		[KEY_LOG_SECRET] = 4,
		[KEY_LOG_LENGTH] = 5,
	}},
	.of_go = {{
		[KEY_LOG_SESSION] = KEY_LOG_NOWHERE,
		[KEY_LOG_LABEL] = 1,
		[KEY_LOG_RANDOM] = 3,
		[KEY_LOG_SECRET] = 6,
		[KEY_LOG_LENGTH] = 7,
	}},
};

static const struct conventions *conventions_of(const struct elf_file *f)
{
	return f->machine == EM_AARCH64 ? &arm64 : &amd64;
}

/* In the order in which they are tried. */
static const char *const names[] = {
	"nss_keylog_int",
	"ssl_log_secret",
	"_ZN4bssl14ssl_log_secretEPK6ssl_stPKcNS_4SpanIKhEE",
	"_ZN4bssl14ssl_log_secretEPK6ssl_stPKcPKhm",
	"_gnutls_call_keylog_func",
	"crypto/tls.(*Config).writeKeyLog",
};

#define NAMES	   (sizeof(names) / sizeof(names[0]))
#define NAME_OF_GO (NAMES - 1)

/* Returns 0, or -EOPNOTSUPP. */
static int probe_function(struct elf_file *f, uint64_t address,
			  const struct key_log_registers *registers, bool is_go,
			  struct key_log_site *ret_site)
{
	uint8_t code[PROBE_POINT_CODE_MAX];
	size_t n = elf_read_address(f, address, code, sizeof(code));
	struct key_log_site site = {.registers = *registers, .is_go = is_go};
	int at;

	if (f->machine == EM_AARCH64)
		at = arm64_can_be_probed(code, n) ? 0 : -1; /* the arguments are where they came */
	else
		at = probe_point_find(code, n, &site.registers);
	if (at < 0 || !elf_offset_of(f, address + (uint64_t)at, &site.offset))
		return -EOPNOTSUPP;
	*ret_site = site;
	return 0;
}

static int find_by_symbol(struct elf_file *f, struct key_log_site *ret_site)
{
	const struct conventions *c = conventions_of(f);
	uint64_t addresses[NAMES];
	int err = -ENOENT;

	elf_find_functions(f, names, NAMES, addresses);
	for (size_t i = 0; i < NAMES && err; i++)
		if (addresses[i])
			err = probe_function(f, addresses[i],
					     i == 0	       ? &c->label_first
					     : i == NAME_OF_GO ? &c->of_go
							       : &c->session_first,
					     i == NAME_OF_GO, ret_site);
	return err;
}

/* What every function of Go begins with that may need more stack: where goroutines keep its end. */
static bool begins_like_go(const struct elf_file *f, const uint8_t *code, size_t len)
{
	if (f->machine == EM_AARCH64)
		return arm64_begins_like_go(code, len);
	return len >= 4 && (memcmp(code, "\x49\x3b\x66\x10", 4) == 0 || /* cmp 16(%r14),%rsp */
			    memcmp(code, "\x4c\x8d", 2) == 0); /* lea -n(%rsp),%r12, then cmp */
}

static int find_by_go_table(struct elf_file *f, struct key_log_site *ret_site)
{
	uint64_t function = go_table_find_function(f, names[NAME_OF_GO]);
	uint8_t code[4];

	if (!function)
		return -ENOENT;
	if (!begins_like_go(f, code, elf_read_address(f, function, code, sizeof(code))))
		return -EOPNOTSUPP;
	return probe_function(f, function, &conventions_of(f)->of_go, true, ret_site);
}

static int find_by_labels(struct elf_file *f, struct key_log_site *ret_site)
{
	enum label_argument argument;
	uint64_t function = labels_find_function(f, &argument);

	if (!function)
		return -ENOENT;
	return probe_function(f, function,
			      argument == LABEL_FIRST ? &conventions_of(f)->label_first
						      : &conventions_of(f)->session_first,
			      false, ret_site);
}

int key_log_find_of(int fd, uint16_t machine, struct key_log_site *ret_site)
{
	struct elf_file f;
	int err = elf_open(&f, fd);

	if (err)
		return err;
	if (f.machine != machine || (machine != EM_X86_64 && machine != EM_AARCH64))
		return -ENOTSUP;
	err = find_by_symbol(&f, ret_site);
	if (err == -ENOENT)
		err = find_by_go_table(&f, ret_site);
	return err == -ENOENT ? find_by_labels(&f, ret_site) : err;
}

int key_log_find(int fd, struct key_log_site *ret_site)
{
#ifdef __aarch64__
	return key_log_find_of(fd, EM_AARCH64, ret_site);
#else
	return key_log_find_of(fd, EM_X86_64, ret_site);
#endif
}
