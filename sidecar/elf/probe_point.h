/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a function of amd64 code a uprobe is cheap, and which registers hold the function's
 * arguments there.
 *
 * The kernel emulates push, call, jmp and jcc (0.6 to 2 us a hit) and single-steps all other
 * instructions (14 to 28 us in a virtual machine): arch/x86/kernel/uprobes.c,
 * branch_setup_xol_ops() and push_setup_xol_ops(). The first such instruction is taken up to which
 * every instruction is known here, with what it does to the arguments.
 */
#ifndef SIDELIGHT_ELF_PROBE_POINT_H
#define SIDELIGHT_ELF_PROBE_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of registers as instructions have them. */
enum amd64_register {
	AMD64_AX,
	AMD64_CX,
	AMD64_DX,
	AMD64_BX,
	AMD64_SP,
	AMD64_BP,
	AMD64_SI,
	AMD64_DI,
	AMD64_R8,
	AMD64_R9,
	AMD64_R10,
	AMD64_R11,
	AMD64_R12,
	AMD64_R13,
	AMD64_R14,
	AMD64_R15,
	AMD64_REGISTERS,
};

/* The arguments of a key-log function. */
enum key_log_argument {
	KEY_LOG_LABEL, /* a pointer to the label's characters */
	KEY_LOG_SECRET, /* a pointer to its bytes, */
	KEY_LOG_LENGTH, /* and their number */
	KEY_LOG_SESSION, /* a pointer that is the same for all secrets of a session */
	KEY_LOG_RANDOM, /* a pointer to the 32 bytes of the client random */
	KEY_LOG_ARGUMENTS,
};

#define KEY_LOG_NOWHERE 0xff

/* By argument the register that holds it, or KEY_LOG_NOWHERE; of arm64, n is xn. */
struct key_log_registers {
	uint8_t in[KEY_LOG_ARGUMENTS];
};

/* How much of a function is looked at. */
#define PROBE_POINT_CODE_MAX 192

/*
 * code: the first bytes of a function. registers: where the arguments are when it is called; where
 * they are at the instruction afterwards. Returns the instruction's offset in code, or -1: there is
 * none at which label, secret, length, and session or random are in registers.
 */
int probe_point_find(const uint8_t *code, size_t len, struct key_log_registers *registers);

#endif
