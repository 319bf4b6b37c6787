/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels are zero-terminated strings; a linker may have merged one with the end of another. Code
 * loads the address of one into the register of an argument, and the next call, of a function of
 * the same file, is that of the key-log function. Some labels are loaded far from the call (OpenSSL
 * and GnuTLS choose between two of them), and say nothing; a function to which at least two
 * different labels are passed is the one.
 *
 * Bytes of code are searched without decoding them, so some matches are none: chance does not give
 * two of them the same target.
 */
#include "elf/labels.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/arm64.h"
#include "elf/probe_point.h"

#define PLACES_MAX     64
#define CANDIDATES_MAX 64
#define LABELS_LEAST   2
/* From the label's address in a register to the call: other arguments are loaded between. */
#define CALL_WITHIN 64
#define LEA_BYTES   7
#define MOV_BYTES   5

static const char *const labels[] = {
	"CLIENT_RANDOM",
	"CLIENT_EARLY_TRAFFIC_SECRET",
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	"SERVER_HANDSHAKE_TRAFFIC_SECRET",
	"CLIENT_TRAFFIC_SECRET_0",
	"SERVER_TRAFFIC_SECRET_0",
	"EXPORTER_SECRET",
	"EARLY_EXPORTER_SECRET",
};

#define LABELS (sizeof(labels) / sizeof(labels[0]))

struct search {
	struct elf_file *f;
	const struct elf_segment *segment;
	size_t place_count;
	struct {
		uint64_t address;
		size_t which;
	} place[PLACES_MAX];
	size_t candidate_count;
	struct candidate {
		uint64_t function;
		uint32_t passed; /* a bit for each label */
		enum label_argument argument;
	} candidate[CANDIDATES_MAX];
};

static bool add_place(void *ctx, size_t which, uint64_t offset)
{
	struct search *s = ctx;

	s->place[s->place_count].address = s->segment->address + (offset - s->segment->offset);
	s->place[s->place_count].which = which;
	return ++s->place_count < PLACES_MAX;
}

static bool stop_at_first(void *ctx, size_t which, uint64_t offset)
{
	(void)which;
	(void)offset;
	*(bool *)ctx = true;
	return false;
}

static void find_places(struct search *s)
{
	bool has_any = false;

	/* Most files have none: one pass tells. */
	for (size_t i = 0; i < s->f->segment_count && !has_any; i++)
		(void)elf_search(s->f, s->f->segment[i].offset, s->f->segment[i].bytes, labels, 1,
				 stop_at_first, &has_any);
	for (size_t i = 0; has_any && i < s->f->segment_count && s->place_count < PLACES_MAX; i++) {
		s->segment = &s->f->segment[i];
		(void)elf_search(s->f, s->segment->offset, s->segment->bytes, labels, LABELS,
				 add_place, s);
	}
}

/* The bit of the label at an address; 0: there is none. */
static uint32_t label_at(const struct search *s, uint64_t address)
{
	for (size_t i = 0; i < s->place_count; i++)
		if (s->place[i].address == address)
			return 1u << s->place[i].which;
	return 0;
}

static int32_t read_32(const uint8_t *code)
{
	int32_t value;

	memcpy(&value, code, sizeof(value));
	return value;
}

/* Code that only jumps to another file: jmp *address(%rip), maybe behind endbr64 and bnd. */
static bool is_stub(struct search *s, uint64_t function)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint8_t code[8] = {0};
	const uint8_t *at = code;

	(void)elf_read_address(s->f, function, code, sizeof(code));
	if (memcmp(at, endbr64, sizeof(endbr64)) == 0)
		at += sizeof(endbr64);
	if (*at == 0xf2)
		at++;
	return at[0] == 0xff && at[1] == 0x25;
}

static void add_candidate(struct search *s, uint64_t function, uint32_t label,
			  enum label_argument argument)
{
	struct candidate *c = s->candidate;

	while (c < s->candidate + s->candidate_count &&
	       (c->function != function || c->argument != argument))
		c++;
	if (c == s->candidate + CANDIDATES_MAX)
		return;
	if (c == s->candidate + s->candidate_count) {
		*c = (struct candidate){.function = function, .argument = argument};
		s->candidate_count++;
	}
	c->passed |= label;
}

/* A label's address is loaded by the instruction in front of this address. */
static void follow(struct search *s, uint64_t address, uint32_t label, enum label_argument argument)
{
	uint8_t code[CALL_WITHIN];
	size_t n = elf_read_address(s->f, address, code, sizeof(code));

	for (size_t i = 0; i + MOV_BYTES <= n; i++) {
		uint64_t function =
			address + i + MOV_BYTES + (uint64_t)(int64_t)read_32(code + i + 1);
		const struct elf_segment *segment;

		if (code[i] != 0xe8)
			continue;
		segment = elf_segment_of(s->f, function);
		if (segment && segment->is_executable && !is_stub(s, function)) {
			add_candidate(s, function, label, argument);
			return;
		}
	}
}

static bool is_argument(uint8_t reg, enum label_argument *ret_argument)
{
	*ret_argument = reg == AMD64_DI ? LABEL_FIRST : LABEL_SECOND;
	return reg == AMD64_DI || reg == AMD64_SI;
}

/* lea label(%rip),%rsi or %rdi; in programs for fixed addresses: mov $label,%esi or %edi. */
static void look_at(struct search *s, const uint8_t *code, uint64_t address)
{
	enum label_argument argument;
	uint32_t label = 0;
	size_t len = LEA_BYTES;

	if (code[0] == 0x48 && code[1] == 0x8d && (code[2] & 0xc7) == 0x05 &&
	    is_argument(code[2] >> 3 & 7, &argument)) {
		label = label_at(s, address + LEA_BYTES + (uint64_t)(int64_t)read_32(code + 3));
	} else if (s->f->is_fixed && (code[0] & 0xf8) == 0xb8 &&
		   is_argument(code[0] & 7, &argument)) {
		label = label_at(s, (uint32_t)read_32(code + 1));
		len = MOV_BYTES;
	}
	if (label)
		follow(s, address + len, label, argument);
}

/* The same in code of arm64: the next bl behind the instruction in front of this address. */
static void follow_arm64(struct search *s, uint64_t address, uint32_t label,
			 enum label_argument argument)
{
	uint8_t code[CALL_WITHIN];
	size_t n = elf_read_address(s->f, address, code, sizeof(code));
	uint8_t target[2 * ARM64_INSTRUCTION];

	for (size_t i = 0; i + ARM64_INSTRUCTION <= n; i += ARM64_INSTRUCTION) {
		const struct elf_segment *segment;
		uint64_t function;

		if (!arm64_is_call((uint32_t)read_32(code + i), address + i, &function))
			continue;
		segment = elf_segment_of(s->f, function);
		if (segment && segment->is_executable &&
		    !arm64_is_stub(target,
				   elf_read_address(s->f, function, target, sizeof(target))))
			add_candidate(s, function, label, argument);
		return;
	}
}

static void scan_arm64(struct search *s, const struct elf_segment *segment, uint8_t *window)
{
	struct arm64_pages pages = {{0}};

	for (uint64_t at = 0; at < segment->bytes; at += ELF_WINDOW) {
		uint64_t left = segment->bytes - at;
		size_t n = left < ELF_WINDOW ? (size_t)left : ELF_WINDOW;

		if (!elf_read(s->f, segment->offset + at, window, n))
			return;
		for (size_t i = 0; i + ARM64_INSTRUCTION <= n; i += ARM64_INSTRUCTION) {
			uint64_t place = segment->address + at + i;
			uint64_t loaded;
			uint32_t label;
			uint8_t reg;

			if (!arm64_loads_address(&pages, (uint32_t)read_32(window + i), place, &reg,
						 &loaded) ||
			    reg > 1)
				continue;
			label = label_at(s, loaded);
			if (label)
				follow_arm64(s, place + ARM64_INSTRUCTION, label,
					     reg == 0 ? LABEL_FIRST : LABEL_SECOND);
		}
	}
}

static void scan_amd64(struct search *s, const struct elf_segment *segment, uint8_t *window)
{
	for (uint64_t at = 0; at < segment->bytes; at += ELF_WINDOW) {
		uint64_t left = segment->bytes - at;
		size_t n = left < ELF_WINDOW + LEA_BYTES ? (size_t)left : ELF_WINDOW + LEA_BYTES;

		if (!elf_read(s->f, segment->offset + at, window, n))
			return;
		for (size_t i = 0; i < ELF_WINDOW && i + LEA_BYTES <= n; i++)
			if (window[i] == 0x48 || (window[i] & 0xfe) == 0xbe)
				look_at(s, window + i, segment->address + at + i);
	}
}

uint64_t labels_find_function(struct elf_file *f, enum label_argument *ret_argument)
{
	scoped_free struct search *s = calloc(1, sizeof(*s));
	scoped_free uint8_t *window = malloc(ELF_WINDOW + LEA_BYTES);
	const struct candidate *best = NULL;

	if (!s || !window)
		return 0;
	s->f = f;
	find_places(s);
	for (size_t i = 0; s->place_count && i < f->segment_count; i++)
		if (f->segment[i].is_executable && f->machine == EM_AARCH64)
			scan_arm64(s, &f->segment[i], window);
		else if (f->segment[i].is_executable)
			scan_amd64(s, &f->segment[i], window);
	for (const struct candidate *c = s->candidate; c < s->candidate + s->candidate_count; c++)
		if (!best || __builtin_popcount(c->passed) > __builtin_popcount(best->passed))
			best = c;
	if (!best || __builtin_popcount(best->passed) < LABELS_LEAST)
		return 0;
	*ret_argument = best->argument;
	return best->function;
}
