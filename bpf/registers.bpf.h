/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The registers of a probed program, by their numbers in instructions. */
#ifndef SIDELIGHT_BPF_REGISTERS_BPF_H
#define SIDELIGHT_BPF_REGISTERS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* The machine is arm64. */
const volatile __u8 is_arm64;

/* Members of struct pt_regs of x86-64 (arch/x86/include/uapi/asm/ptrace.h), by position. */
enum {
	R15,
	R14,
	R13,
	R12,
	BP,
	BX,
	R11,
	R10,
	R9,
	R8,
	AX,
	CX,
	DX,
	SI,
	DI,
	ORIG_AX,
	IP,
	CS,
	FLAGS,
	SP
};

/*
 * Orders the registers by their numbers in instructions. Struct user_pt_regs of arm64, which the
 * context is there, begins with x0 to x30.
 */
static __always_inline void read_registers(const __u64 *ctx, __u64 ret_registers[16])
{
	if (is_arm64) {
		/*
		 * By a helper: the compiler would choose between two members of the context, and
		 * the verifier refuses an address that depends on a condition.
		 */
		if (bpf_probe_read_kernel(ret_registers, 16 * sizeof(ret_registers[0]), ctx))
			__builtin_memset(ret_registers, 0, 16 * sizeof(ret_registers[0]));
		return;
	}
	ret_registers[0] = ctx[AX];
	ret_registers[1] = ctx[CX];
	ret_registers[2] = ctx[DX];
	ret_registers[3] = ctx[BX];
	ret_registers[4] = ctx[SP];
	ret_registers[5] = ctx[BP];
	ret_registers[6] = ctx[SI];
	ret_registers[7] = ctx[DI];
	ret_registers[8] = ctx[R8];
	ret_registers[9] = ctx[R9];
	ret_registers[10] = ctx[R10];
	ret_registers[11] = ctx[R11];
	ret_registers[12] = ctx[R12];
	ret_registers[13] = ctx[R13];
	ret_registers[14] = ctx[R14];
	ret_registers[15] = ctx[R15];
}

#endif
