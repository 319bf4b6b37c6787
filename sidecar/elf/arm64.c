/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/arm64.h"

#include <string.h>

#define ADRP	  0x90000000u
#define ADRP_MASK 0x9f000000u
#define ADR	  0x10000000u
#define ADD	  0x91000000u /* of 64 bits, with a constant; bit 22: it is shifted by 12 */
#define ADD_MASK  0xffc00000u
#define BL	  0x94000000u
#define BL_MASK	  0xfc000000u

#define PAGE_BITS 12

static uint32_t read_instruction(const uint8_t *code)
{
	uint32_t value;

	memcpy(&value, code, sizeof(value)); /* little-endian, as the file is */
	return value;
}

/* The lower `bits` of a value, as a signed number. */
static int64_t sign_extend(uint64_t value, unsigned bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* immhi:immlo of adr and adrp. */
static int64_t address_constant(uint32_t instruction)
{
	return sign_extend((instruction >> 5 & 0x7ffff) << 2 | (instruction >> 29 & 3), 21);
}

bool arm64_loads_address(struct arm64_pages *pages, uint32_t instruction, uint64_t at,
			 uint8_t *ret_register, uint64_t *ret_address)
{
	uint8_t to = instruction & 31;
	uint8_t from = instruction >> 5 & 31;

	if ((instruction & ADRP_MASK) == ADRP) {
		pages->in[to] = (at >> PAGE_BITS << PAGE_BITS) +
				((uint64_t)address_constant(instruction) << PAGE_BITS);
		return false;
	}
	*ret_register = to;
	if ((instruction & ADRP_MASK) == ADR) {
		*ret_address = at + (uint64_t)address_constant(instruction);
		return true;
	}
	if ((instruction & ADD_MASK) != ADD || !pages->in[from])
		return false;
	*ret_address = pages->in[from] + (instruction >> 10 & 0xfff);
	return true;
}

bool arm64_is_call(uint32_t instruction, uint64_t at, uint64_t *ret_function)
{
	if ((instruction & BL_MASK) != BL)
		return false;
	*ret_function =
		at + (uint64_t)(sign_extend(instruction & 0x3ffffff, 26) * ARM64_INSTRUCTION);
	return true;
}

/* bti c, maybe; adrp x16, page */
bool arm64_is_stub(const uint8_t *code, size_t len)
{
	if (len >= 2 * ARM64_INSTRUCTION && read_instruction(code) == 0xd503245f)
		code += ARM64_INSTRUCTION;
	return len >= ARM64_INSTRUCTION && (read_instruction(code) & 0x9f00001f) == 0x90000010;
}

/* nop, the hints of pointer authentication and bti: no registers of the system. */
static bool is_harmless_hint(uint32_t instruction)
{
	uint32_t hint = instruction >> 5 & 0x7f;

	return (instruction & 0xfffff01f) == 0xd503201f &&
	       (hint == 0 || hint == 7 || (hint >= 8 && hint <= 15) || (hint >= 24 && hint <= 31) ||
		(hint >= 32 && hint <= 38 && hint % 2 == 0));
}

bool arm64_can_be_probed(const uint8_t *code, size_t len)
{
	uint32_t instruction;

	if (len < ARM64_INSTRUCTION)
		return false;
	instruction = read_instruction(code);
	if ((instruction & 0x1e000000) == 0) /* reserved, also udf and what is filled with zeros */
		return false;
	if ((instruction & 0xff000000) == 0xd4000000) /* svc, brk, hlt, ... */
		return false;
	if ((instruction & 0xff000000) == 0xd5000000)
		return is_harmless_hint(instruction);
	if ((instruction & 0xff000000) == 0xd6000000) /* ret and br: no function begins so */
		return false;
	return (instruction & 0x3f000000) != 0x08000000; /* exclusive access */
}

bool arm64_begins_like_go(const uint8_t *code, size_t len)
{
	return len >= ARM64_INSTRUCTION && read_instruction(code) == 0xf9400b90;
}
