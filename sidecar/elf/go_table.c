/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout is that of runtime.pcHeader and runtime.moduledata (Go's src/runtime/symtab.go):
 *
 *   header       magic, sizes, number of functions, address of the first one, offsets of
 *   names        zero-terminated
 *   ...
 *   functions    for each its address, relative to the first one, and where its entry is
 *   entries      the address again, the offset of its name, more
 */
#include "elf/go_table.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define FUNCTIONS_MAX (1u << 21)

struct header {
	uint32_t magic; /* of Go 1.18, 1.20 */
	uint8_t zeros[2];
	uint8_t instruction_unit;
	uint8_t pointer_bytes;
	uint64_t functions;
	uint64_t files;
	uint64_t text_address; /* 0 since Go 1.26, and where it is relocated */
	uint64_t names;
	uint64_t units; /* behind the names */
	uint64_t file_names;
	uint64_t positions;
	uint64_t function_table;
};

_Static_assert(sizeof(struct header) == 72, "layout");

struct function {
	uint32_t address; /* relative */
	uint32_t entry; /* relative to the table of functions */
};

struct entry {
	uint32_t address;
	int32_t name;
};

/* A part of the file that moves forward as later bytes are wanted. */
struct window {
	struct elf_file *f;
	uint64_t offset;
	size_t len;
	char *bytes; /* ELF_WINDOW of them */
};

struct table {
	struct elf_file *f;
	uint64_t offset; /* of the header; 0: not found */
	struct header header;
};

static bool window_read(struct window *w, uint64_t offset, void *ret_bytes, size_t len)
{
	if (offset < w->offset || offset - w->offset > w->len ||
	    w->len - (offset - w->offset) < len) {
		uint64_t left = offset < w->f->size ? w->f->size - offset : 0;

		w->len = left < ELF_WINDOW ? (size_t)left : ELF_WINDOW;
		w->offset = offset;
		if (w->len < len || !elf_read(w->f, offset, w->bytes, w->len)) {
			w->len = 0;
			return false;
		}
	}
	memcpy(ret_bytes, w->bytes + (offset - w->offset), len);
	return true;
}

static bool check_header(void *ctx, size_t which, uint64_t offset)
{
	struct table *t = ctx;
	struct header *h = &t->header;

	(void)which;
	if (!elf_read(t->f, offset, h, sizeof(*h)) || h->zeros[0] || h->zeros[1] ||
	    h->instruction_unit != (t->f->machine == EM_AARCH64 ? 4 : 1) || h->pointer_bytes != 8 ||
	    h->functions > FUNCTIONS_MAX || h->names > h->units || h->units > t->f->size ||
	    h->function_table > t->f->size)
		return true;
	t->offset = offset;
	return false;
}

static bool find_header(struct table *t)
{
	/* A zero follows: see elf_search(). */
	static const char *const magics[] = {"\xf0\xff\xff\xff", "\xf1\xff\xff\xff"};

	for (size_t i = 0; i < t->f->segment_count && !t->offset; i++)
		if (!t->f->segment[i].is_executable)
			(void)elf_search(t->f, t->f->segment[i].offset, t->f->segment[i].bytes,
					 magics, 2, check_header, t);
	return t->offset;
}

/* A name begins behind the zero of another one. */
struct place {
	struct elf_file *f;
	uint64_t start; /* of the names */
	int64_t name; /* -1: not found */
};

static bool take_name(void *ctx, size_t which, uint64_t offset)
{
	struct place *p = ctx;
	char before = 0;

	(void)which;
	if (offset > p->start && (!elf_read(p->f, offset - 1, &before, 1) || before))
		return true;
	p->name = (int64_t)(offset - p->start);
	return false;
}

/* The address, relative to the first function; -1: not found. */
static int64_t find_entry(struct table *t, int64_t name)
{
	scoped_free char *buffers = malloc(2 * (size_t)ELF_WINDOW);
	struct window functions = {.f = t->f, .bytes = buffers};
	struct window entries = {.f = t->f, .bytes = buffers ? buffers + ELF_WINDOW : NULL};
	uint64_t start = t->offset + t->header.function_table;

	for (uint64_t i = 0; buffers && i < t->header.functions; i++) {
		struct function function;
		struct entry entry;

		if (!window_read(&functions, start + i * sizeof(function), &function,
				 sizeof(function)) ||
		    !window_read(&entries, start + function.entry, &entry, sizeof(entry)))
			return -1;
		if (entry.name == name && entry.address == function.address)
			return function.address;
	}
	return -1;
}

uint64_t go_table_find_function(struct elf_file *f, const char *name)
{
	struct table t = {.f = f};
	struct place place = {.f = f, .name = -1};
	const struct elf_segment *segment;
	uint64_t text;
	int64_t address;

	if (!find_header(&t))
		return 0;
	place.start = t.offset + t.header.names;
	(void)elf_search(f, place.start, t.header.units - t.header.names, &name, 1, take_name,
			 &place);
	address = place.name < 0 ? -1 : find_entry(&t, place.name);
	if (address < 0)
		return 0;
	text = t.header.text_address;
	segment = elf_segment_of(f, text);
	if (!segment || !segment->is_executable)
		text = f->text_address;
	return text ? text + (uint64_t)address : 0;
}
