/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes: where the names are in the table of strings, then which symbols point there. A name
 * may be the end of a longer one, so all places count.
 */
#include "elf/symbols.h"

#include <elf.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define PLACES_MAX 32

struct places {
	uint64_t start; /* of the table of strings */
	size_t count;
	struct {
		uint64_t name; /* offset in the table */
		size_t which;
	} place[PLACES_MAX];
};

static bool add_place(void *ctx, size_t which, uint64_t offset)
{
	struct places *p = ctx;

	p->place[p->count].name = offset - p->start;
	p->place[p->count].which = which;
	return ++p->count < PLACES_MAX;
}

static void take_symbol(const struct places *p, const Elf64_Sym *s, uint64_t *ret_addresses)
{
	for (size_t i = 0; i < p->count; i++)
		if (s->st_name == p->place[i].name && s->st_value &&
		    ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx != SHN_UNDEF)
			ret_addresses[p->place[i].which] = s->st_value;
}

static void find_in_table(struct elf_file *f, const struct elf_table *t, const char *const *names,
			  size_t count, uint64_t *ret_addresses)
{
	struct places places = {.start = t->names_offset};
	uint64_t left = t->bytes / sizeof(Elf64_Sym);
	uint64_t offset = t->offset;
	scoped_free Elf64_Sym *window = NULL;

	if (!t->bytes ||
	    !elf_search(f, t->names_offset, t->names_bytes, names, count, add_place, &places))
		return;
	window = places.count ? malloc(ELF_WINDOW) : NULL;
	while (window && left > 0) {
		size_t n = ELF_WINDOW / sizeof(*window);

		if (n > left)
			n = (size_t)left;
		if (!elf_read(f, offset, window, n * sizeof(*window)))
			return;
		for (size_t i = 0; i < n; i++)
			take_symbol(&places, &window[i], ret_addresses);
		offset += n * sizeof(*window);
		left -= n;
	}
}

void elf_find_functions(struct elf_file *f, const char *const *names, size_t count,
			uint64_t *ret_addresses)
{
	for (size_t i = 0; i < count; i++)
		ret_addresses[i] = 0;
	for (size_t i = 0; i < 2; i++)
		find_in_table(f, &f->table[i], names, count, ret_addresses);
}
