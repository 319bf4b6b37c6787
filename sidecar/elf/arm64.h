/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of arm64 code as the search for a key-log function reads (Arm Architecture Reference
 * Manual, C4.1). All instructions have four bytes.
 */
#ifndef SIDELIGHT_ELF_ARM64_H
#define SIDELIGHT_ELF_ARM64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARM64_INSTRUCTION 4

/* By register the page whose address an adrp has loaded; 0: none. */
struct arm64_pages {
	uint64_t in[32];
};

/*
 * The next instruction, which is at `at`: does it complete the address of something in a register?
 * That is the add behind an adrp, or an adr.
 */
bool arm64_loads_address(struct arm64_pages *pages, uint32_t instruction, uint64_t at,
			 uint8_t *ret_register, uint64_t *ret_address);

/* bl: a call of a function whose address it has. */
bool arm64_is_call(uint32_t instruction, uint64_t at, uint64_t *ret_function);

/* Code that only jumps to another file (an entry of the procedure linkage table). */
bool arm64_is_stub(const uint8_t *code, size_t len);

/*
 * Can the kernel probe the first instruction of this code? It emulates branches and addresses, and
 * executes most others out of line; it refuses those for exclusive access, exceptions and system
 * registers: arch/arm64/kernel/probes/decode-insn.c, aarch64_insn_is_steppable(). What a uprobe
 * costs differs little from one instruction to another.
 */
bool arm64_can_be_probed(const uint8_t *code, size_t len);

/* What a function of Go begins with that may need more stack: ldr x16, [x28, #16]. */
bool arm64_begins_like_go(const uint8_t *code, size_t len);

#endif
