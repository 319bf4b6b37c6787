/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/go_grpc.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf/arm64.h"
#include "elf/file.h"
#include "elf/go_table.h"
#include "elf/symbols.h"

#define PACKAGE "google.golang.org/grpc/internal/transport."

static const char *const names[GO_GRPC_FUNCTIONS] = {
	[GO_GRPC_SERVER_READS] = PACKAGE "(*http2Server).operateHeaders",
	[GO_GRPC_CLIENT_READS] = PACKAGE "(*http2Client).operateHeaders",
	[GO_GRPC_WRITES] = PACKAGE "(*loopyWriter).writeHeader",
};

/*
 * Where a function of Go compares its stack with its end, which writes no argument, and jumps: the
 * kernel emulates a jump, all else is single-stepped (probe_point.h). -1: it does not.
 */
static int find_jump(const uint8_t *code, size_t len)
{
	static const uint8_t compare[] = {0x3b, 0x66, 0x10}; /* cmp 16(%r14), ... */
	size_t at = 0;

	if (len >= 8 && memcmp(code, "\x4c\x8d\x64\x24", 4) == 0) /* lea -n(%rsp),%r12 */
		at = 5;
	else if (len >= 8 && memcmp(code, "\x4c\x8d\xa4\x24", 4) == 0)
		at = 8;
	if (len < at + 6 || code[at] != (at ? 0x4d : 0x49) ||
	    memcmp(code + at + 1, compare, sizeof(compare)) != 0)
		return -1;
	at += 1 + sizeof(compare);
	return code[at] == 0x76 || (code[at] == 0x0f && code[at + 1] == 0x86) ? (int)at : -1;
}

/* 0: the function cannot be probed. */
static uint64_t find_site(struct elf_file *f, uint64_t address)
{
	uint8_t code[16];
	size_t n = elf_read_address(f, address, code, sizeof(code));
	uint64_t offset;
	int at;

	if (f->machine == EM_AARCH64)
		at = arm64_begins_like_go(code, n) && arm64_can_be_probed(code, n) ? 0 : -1;
	else
		at = find_jump(code, n);
	return at >= 0 && elf_offset_of(f, address + (uint64_t)at, &offset) ? offset : 0;
}

int go_grpc_find_of(int fd, uint16_t machine, struct go_grpc_sites *ret_sites)
{
	uint64_t addresses[GO_GRPC_FUNCTIONS];
	uint64_t *offset = ret_sites->offset;
	struct elf_file f;
	int err = elf_open(&f, fd);

	if (err)
		return err;
	if (f.machine != machine || (machine != EM_X86_64 && machine != EM_AARCH64))
		return -ENOTSUP;
	elf_find_functions(&f, names, GO_GRPC_FUNCTIONS, addresses);
	for (size_t i = 0; i < GO_GRPC_FUNCTIONS; i++) {
		/* A program that serves alone has no client, one that asks alone no server. */
		if (!addresses[i] && (i != GO_GRPC_WRITES || addresses[GO_GRPC_SERVER_READS] ||
				      addresses[GO_GRPC_CLIENT_READS]))
			addresses[i] = go_table_find_function(&f, names[i]);
		offset[i] = addresses[i] ? find_site(&f, addresses[i]) : 0;
	}
	if (!addresses[GO_GRPC_WRITES] ||
	    (!addresses[GO_GRPC_SERVER_READS] && !addresses[GO_GRPC_CLIENT_READS]))
		return -ENOENT;
	return offset[GO_GRPC_WRITES] &&
			       (offset[GO_GRPC_SERVER_READS] || offset[GO_GRPC_CLIENT_READS])
		       ? 0
		       : -EOPNOTSUPP;
}

int go_grpc_find(int fd, struct go_grpc_sites *ret_sites)
{
#ifdef __aarch64__
	return go_grpc_find_of(fd, EM_AARCH64, ret_sites);
#else
	return go_grpc_find_of(fd, EM_X86_64, ret_sites);
#endif
}
