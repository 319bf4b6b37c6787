/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search for functions that are to be probed in a file that a stranger wrote: the input is the
 * file. It holds that
 *   - what is found is a place in the file;
 *   - an instruction is there that the kernel emulates;
 *   - label, secret and length are in registers there, and something that names the session.
 */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/arm64.h"
#include "elf/go_grpc.h"
#include "elf/key_log.h"
#include "fuzz.h"

static bool is_emulated(const uint8_t *code, size_t len)
{
	if (len > 1 && code[0] == 0x0f)
		return (code[1] & 0xf0) == 0x80;
	if (len > 1 && code[0] == 0x41)
		return (code[1] & 0xf8) == 0x50;
	return (code[0] & 0xf8) == 0x50 || code[0] == 0xe8 || code[0] == 0xe9 || code[0] == 0xeb ||
	       (code[0] & 0xf0) == 0x70;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz_elf", MFD_CLOEXEC);
	struct go_grpc_sites grpc;
	struct key_log_site site;

	fuzz_check(fd >= 0);
	fuzz_check(write(fd, data, size) == (ssize_t)size);
	if (key_log_find_of(fd, EM_X86_64, &site) == 0) {
		const uint8_t *in = site.registers.in;

		fuzz_check(site.offset < size);
		fuzz_check(is_emulated(data + site.offset, size - site.offset));
		fuzz_check(in[KEY_LOG_LABEL] < AMD64_REGISTERS);
		fuzz_check(in[KEY_LOG_SECRET] < AMD64_REGISTERS);
		fuzz_check(in[KEY_LOG_LENGTH] < AMD64_REGISTERS);
		fuzz_check(in[KEY_LOG_SESSION] < AMD64_REGISTERS ||
			   in[KEY_LOG_RANDOM] < AMD64_REGISTERS);
	}
	if (key_log_find_of(fd, EM_AARCH64, &site) == 0)
		fuzz_check(site.offset + ARM64_INSTRUCTION <= size);
	if (go_grpc_find_of(fd, EM_X86_64, &grpc) == 0)
		for (unsigned i = 0; i < GO_GRPC_FUNCTIONS; i++)
			fuzz_check(!grpc.offset[i] ||
				   (grpc.offset[i] < size &&
				    is_emulated(data + grpc.offset[i], size - grpc.offset[i])));
	if (go_grpc_find_of(fd, EM_AARCH64, &grpc) == 0)
		for (unsigned i = 0; i < GO_GRPC_FUNCTIONS; i++)
			fuzz_check(!grpc.offset[i] || grpc.offset[i] + ARM64_INSTRUCTION <= size);
	fuzz_check(close(fd) == 0);
	return 0;
}
