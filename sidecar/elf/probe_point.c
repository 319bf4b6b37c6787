/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/probe_point.h"

#define INSTRUCTIONS_MAX 48

/* What a register holds beside arguments. */
enum {
	HOLDS_OTHER = KEY_LOG_ARGUMENTS,
	HOLDS_FIELD, /* a pointer to a member of the session */
	HOLDS_32,
};

struct machine {
	uint8_t holds[AMD64_REGISTERS]; /* enum key_log_argument, or one of the above */
};

/* One instruction, as far as it was read. */
struct instruction {
	const uint8_t *code;
	size_t len; /* bytes that are there */
	size_t at; /* read so far */
	uint8_t rex;
	bool has_segment;
	bool is_repeated; /* F3 */
	bool has_operand_size; /* 66 */
	uint8_t opcode;
	bool is_two_bytes; /* 0F before opcode */
	/* of ModRM */
	uint8_t reg;
	uint8_t rm; /* a register if is_register, else the base of an address */
	bool is_register;
	bool has_index; /* or no base */
};

static bool take(struct instruction *i, uint8_t *ret_byte)
{
	if (i->at >= i->len)
		return false;
	*ret_byte = i->code[i->at++];
	return true;
}

static bool skip(struct instruction *i, size_t n)
{
	i->at += n;
	return i->at <= i->len;
}

static bool read_opcode(struct instruction *i)
{
	uint8_t byte;

	for (;;) {
		if (!take(i, &byte))
			return false;
		if (byte == 0x66)
			i->has_operand_size = true;
		else if (byte == 0x64)
			i->has_segment = true;
		else if (byte == 0xf3)
			i->is_repeated = true;
		else
			break;
	}
	if ((byte & 0xf0) == 0x40) {
		i->rex = byte;
		if (!take(i, &byte))
			return false;
	}
	i->is_two_bytes = byte == 0x0f;
	if (i->is_two_bytes && !take(i, &byte))
		return false;
	i->opcode = byte;
	return true;
}

/* ModRM, SIB and displacement: Intel SDM volume 2, section 2.1.5. */
static bool read_modrm(struct instruction *i)
{
	uint8_t modrm;
	uint8_t sib;
	uint8_t mod;
	uint8_t rm;

	if (!take(i, &modrm))
		return false;
	mod = modrm >> 6;
	rm = modrm & 7;
	i->reg = (uint8_t)((modrm >> 3 & 7) | (i->rex & 4) << 1);
	i->rm = (uint8_t)(rm | (i->rex & 1) << 3);
	i->is_register = mod == 3;
	i->has_index = mod == 0 && rm == 5; /* relative to RIP */
	if (i->is_register)
		return true;
	if (rm == 4) {
		if (!take(i, &sib))
			return false;
		i->has_index = (sib & 0x38) != 0x20 || (i->rex & 2) || (mod == 0 && (sib & 7) == 5);
		i->rm = (uint8_t)((sib & 7) | (i->rex & 1) << 3);
		if (mod == 0 && (sib & 7) == 5)
			return skip(i, 4);
	}
	if (mod == 1)
		return skip(i, 1);
	if (mod == 2 || (mod == 0 && rm == 5))
		return skip(i, 4);
	return true;
}

static void set(struct machine *m, uint8_t reg, uint8_t holds)
{
	m->holds[reg] = holds;
}

/* A copy of 32 bits keeps what is a number. */
static void copy(struct machine *m, const struct instruction *i, uint8_t to, uint8_t from)
{
	uint8_t holds = m->holds[from];
	bool is_whole = i->rex & 8 || holds == KEY_LOG_LENGTH || holds == HOLDS_32;

	set(m, to, is_whole ? holds : HOLDS_OTHER);
}

static bool load_constant(struct machine *m, struct instruction *i, uint8_t reg, size_t bytes)
{
	size_t at = i->at;

	if (!skip(i, bytes))
		return false;
	set(m, reg,
	    bytes == 4 && i->code[at] == 32 && !i->code[at + 1] && !i->code[at + 2] &&
			    !i->code[at + 3]
		    ? HOLDS_32
		    : HOLDS_OTHER);
	return true;
}

/* Instructions of two bytes that say nothing but what register they write. False: unknown. */
static bool step_two_bytes(struct machine *m, struct instruction *i)
{
	/* endbr64 */
	if (i->is_repeated && i->opcode == 0x1e)
		return skip(i, 1);
	if (!read_modrm(i))
		return false;
	switch (i->opcode) {
	case 0x1f: /* nop */
	case 0x10: /* of vector registers: moves and xor */
	case 0x11:
	case 0x28:
	case 0x29:
	case 0x57:
	case 0x6f:
	case 0x7f:
	case 0xef:
		return true;
	case 0xb6: /* movzx, movsx */
	case 0xb7:
	case 0xbe:
	case 0xbf:
		set(m, i->reg, HOLDS_OTHER);
		return true;
	default:
		return false;
	}
}

static bool step_arithmetic(struct machine *m, struct instruction *i)
{
	uint8_t kind;

	if (!read_modrm(i))
		return false;
	switch (i->opcode) {
	case 0x01: /* add, or, and, sub, xor: into rm */
	case 0x09:
	case 0x21:
	case 0x29:
	case 0x31:
		if (i->is_register)
			set(m, i->rm, HOLDS_OTHER);
		return true;
	case 0x03: /* likewise: into reg */
	case 0x0b:
	case 0x23:
	case 0x2b:
	case 0x33:
		set(m, i->reg, HOLDS_OTHER);
		return true;
	case 0x38: /* cmp and test: into none */
	case 0x39:
	case 0x3a:
	case 0x3b:
	case 0x84:
	case 0x85:
		return true;
	default: /* 0x80, 0x81, 0x83: with a constant */
		kind = i->reg & 7;
		if (i->is_register && kind != 7 && i->opcode == 0x80)
			return false; /* a part of a register */
		if (i->is_register && kind != 7)
			set(m, i->rm, HOLDS_OTHER);
		return skip(i, i->opcode == 0x81 ? 4 : 1);
	}
}

static bool step_move(struct machine *m, struct instruction *i)
{
	if (i->opcode >= 0xb8 && i->opcode <= 0xbf)
		return load_constant(m, i, (uint8_t)((i->opcode & 7) | (i->rex & 1) << 3),
				     i->rex & 8 ? 8 : 4);
	if (!read_modrm(i))
		return false;
	switch (i->opcode) {
	case 0x88: /* stores of a byte */
		return !i->is_register;
	case 0x89:
		if (i->is_register)
			copy(m, i, i->rm, i->reg);
		return true;
	case 0x8b:
		if (i->is_register)
			copy(m, i, i->reg, i->rm);
		else
			set(m, i->reg, HOLDS_OTHER);
		return true;
	case 0x8d: /* lea */
		set(m, i->reg,
		    !i->is_register && !i->has_index && i->rex & 8 &&
				    m->holds[i->rm] == KEY_LOG_SESSION
			    ? HOLDS_FIELD
			    : HOLDS_OTHER);
		return !i->is_register;
	case 0xc6:
		return !i->is_register && skip(i, 1);
	default: /* 0xc7 */
		return i->is_register ? load_constant(m, i, i->rm, 4) : skip(i, 4);
	}
}

/* What the instruction does to the registers. False: it is none of those that are known. */
static bool step(struct machine *m, struct instruction *i)
{
	if (i->has_operand_size && !i->is_two_bytes)
		return false;
	if (i->is_two_bytes)
		return step_two_bytes(m, i);
	switch (i->opcode) {
	case 0x90:
		return true;
	case 0x88:
	case 0x89:
	case 0x8b:
	case 0x8d:
	case 0xc6:
	case 0xc7:
		return step_move(m, i);
	case 0x01:
	case 0x03:
	case 0x09:
	case 0x0b:
	case 0x21:
	case 0x23:
	case 0x29:
	case 0x2b:
	case 0x31:
	case 0x33:
	case 0x38:
	case 0x39:
	case 0x3a:
	case 0x3b:
	case 0x80:
	case 0x81:
	case 0x83:
	case 0x84:
	case 0x85:
		return step_arithmetic(m, i);
	default:
		return i->opcode >= 0xb8 && i->opcode <= 0xbf && step_move(m, i);
	}
}

static bool is_call_or_jump(const struct instruction *i)
{
	if (i->rex || i->has_operand_size || i->has_segment || i->is_repeated)
		return false;
	if (i->is_two_bytes)
		return (i->opcode & 0xf0) == 0x80;
	return i->opcode == 0xe8 || i->opcode == 0xe9 || i->opcode == 0xeb ||
	       (i->opcode & 0xf0) == 0x70;
}

static bool is_push(const struct instruction *i)
{
	return !i->is_two_bytes && (i->opcode & 0xf8) == 0x50 && (i->rex == 0 || i->rex == 0x41) &&
	       !i->has_operand_size && !i->has_segment && !i->is_repeated;
}

/* Where the arguments are now. A call of f(label, session, session->random, 32, ...) has them all:
 * that is how OpenSSL's ssl_log_secret() goes on. */
static bool locate(const struct machine *m, struct key_log_registers *ret)
{
	for (int argument = 0; argument < KEY_LOG_ARGUMENTS; argument++) {
		ret->in[argument] = KEY_LOG_NOWHERE;
		for (unsigned reg = 0; reg < AMD64_REGISTERS; reg++)
			if (m->holds[reg] == argument)
				ret->in[argument] = (uint8_t)reg;
	}
	if (m->holds[AMD64_DI] == KEY_LOG_LABEL && m->holds[AMD64_DX] == HOLDS_FIELD &&
	    m->holds[AMD64_CX] == HOLDS_32)
		ret->in[KEY_LOG_RANDOM] = AMD64_DX;
	return ret->in[KEY_LOG_LABEL] != KEY_LOG_NOWHERE &&
	       ret->in[KEY_LOG_SECRET] != KEY_LOG_NOWHERE &&
	       ret->in[KEY_LOG_LENGTH] != KEY_LOG_NOWHERE &&
	       (ret->in[KEY_LOG_SESSION] != KEY_LOG_NOWHERE ||
		ret->in[KEY_LOG_RANDOM] != KEY_LOG_NOWHERE);
}

int probe_point_find(const uint8_t *code, size_t len, struct key_log_registers *registers)
{
	struct machine m;
	size_t at = 0;

	for (size_t r = 0; r < AMD64_REGISTERS; r++)
		m.holds[r] = HOLDS_OTHER;
	for (unsigned a = 0; a < KEY_LOG_ARGUMENTS; a++)
		if (registers->in[a] < AMD64_REGISTERS)
			m.holds[registers->in[a]] = (uint8_t)a;
	for (unsigned n = 0; n < INSTRUCTIONS_MAX && at < len; n++) {
		struct instruction i = {.code = code + at, .len = len - at};

		if (!read_opcode(&i))
			return -1;
		if (is_push(&i) || is_call_or_jump(&i))
			return locate(&m, registers) ? (int)at : -1;
		if (!step(&m, &i) || i.at > i.len)
			return -1;
		at += i.at;
	}
	return -1;
}
