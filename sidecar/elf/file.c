/* SPDX-License-Identifier: Apache-2.0 */
#include "elf/file.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NEEDLE_MAX 64

/* Are the bytes in the file? Without overflow, whatever the numbers are. */
static bool is_inside(const struct elf_file *f, uint64_t offset, uint64_t bytes)
{
	return offset <= f->size && bytes <= f->size - offset;
}

bool elf_read(struct elf_file *f, uint64_t offset, void *ret_bytes, size_t len)
{
	char *to = ret_bytes;

	if (!is_inside(f, offset, len) || len > f->read_left)
		return false;
	f->read_left -= len;
	while (len > 0) {
		ssize_t n = pread(f->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* it has become shorter */
			return false;
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static int read_segments(struct elf_file *f, const Elf64_Ehdr *h)
{
	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	for (size_t i = 0; i < h->e_phnum; i++) {
		struct elf_segment *s = &f->segment[f->segment_count];
		Elf64_Phdr p;

		if (!elf_read(f, h->e_phoff + i * sizeof(p), &p, sizeof(p)))
			return -ENOEXEC;
		if (p.p_type != PT_LOAD || p.p_filesz == 0)
			continue;
		if (!is_inside(f, p.p_offset, p.p_filesz) || p.p_vaddr + p.p_filesz < p.p_vaddr ||
		    f->segment_count == ELF_SEGMENTS_MAX)
			return -ENOEXEC;
		*s = (struct elf_segment){p.p_offset, p.p_vaddr, p.p_filesz, p.p_flags & PF_X};
		f->segment_count++;
	}
	return f->segment_count ? 0 : -ENOEXEC;
}

static bool is_table(const Elf64_Shdr *s, const Elf64_Ehdr *h)
{
	return (s->sh_type == SHT_SYMTAB || s->sh_type == SHT_DYNSYM) && s->sh_link < h->e_shnum;
}

/* Files without sections have no table of symbols for us, which is no error. */
static void read_sections(struct elf_file *f, const Elf64_Ehdr *h)
{
	uint64_t text_bytes = 0;

	if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shnum > ELF_SECTIONS_MAX)
		return;
	for (size_t i = 0; i < h->e_shnum; i++) {
		struct elf_table *t;
		Elf64_Shdr s;
		Elf64_Shdr names;

		if (!elf_read(f, h->e_shoff + i * sizeof(s), &s, sizeof(s)))
			return;
		if (s.sh_type == SHT_PROGBITS && s.sh_flags & SHF_EXECINSTR &&
		    s.sh_size > text_bytes) {
			f->text_address = s.sh_addr;
			text_bytes = s.sh_size;
		}
		if (!is_table(&s, h) ||
		    !elf_read(f, h->e_shoff + s.sh_link * sizeof(s), &names, sizeof(names)))
			continue;
		t = &f->table[s.sh_type == SHT_DYNSYM];
		if (names.sh_type == SHT_STRTAB && is_inside(f, s.sh_offset, s.sh_size) &&
		    is_inside(f, names.sh_offset, names.sh_size))
			*t = (struct elf_table){s.sh_offset, s.sh_size, names.sh_offset,
						names.sh_size};
	}
}

int elf_open(struct elf_file *f, int fd)
{
	struct stat st;
	Elf64_Ehdr h;
	int err;

	*f = (struct elf_file){.fd = fd, .read_left = ELF_READ_MAX};
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	f->size = (uint64_t)st.st_size;
	if (!elf_read(f, 0, &h, sizeof(h)) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -ENOEXEC;
	f->machine = h.e_machine;
	f->is_fixed = h.e_type == ET_EXEC;
	err = read_segments(f, &h);
	if (!err)
		read_sections(f, &h);
	return err;
}

const struct elf_segment *elf_segment_of(const struct elf_file *f, uint64_t address)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const struct elf_segment *s = &f->segment[i];

		if (address >= s->address && address - s->address < s->bytes)
			return s;
	}
	return NULL;
}

bool elf_offset_of(const struct elf_file *f, uint64_t address, uint64_t *ret_offset)
{
	const struct elf_segment *s = elf_segment_of(f, address);

	if (s)
		*ret_offset = s->offset + (address - s->address);
	return s;
}

size_t elf_read_address(struct elf_file *f, uint64_t address, void *ret_bytes, size_t len)
{
	const struct elf_segment *s = elf_segment_of(f, address);
	uint64_t at;

	if (!s)
		return 0;
	at = address - s->address;
	if (len > s->bytes - at)
		len = (size_t)(s->bytes - at);
	return elf_read(f, s->offset + at, ret_bytes, len) ? len : 0;
}

/* Those that start in the first `starts` bytes of the window, which holds n. */
static bool search_window(const char *window, size_t n, size_t starts, uint64_t offset,
			  const char *const *needles, size_t count, elf_found_fn fn, void *ctx)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(needles[i]) + 1;
		const char *at = window;

		while ((at = memmem(at, n - (size_t)(at - window), needles[i], len))) {
			if ((size_t)(at - window) >= starts)
				break;
			if (!fn(ctx, i, offset + (uint64_t)(at - window)))
				return false;
			at++;
		}
	}
	return true;
}

bool elf_search(struct elf_file *f, uint64_t offset, uint64_t bytes, const char *const *needles,
		size_t count, elf_found_fn fn, void *ctx)
{
	scoped_free char *window = malloc(ELF_WINDOW + NEEDLE_MAX);

	if (!window)
		return false;
	while (bytes > 0) {
		size_t starts = bytes < ELF_WINDOW ? (size_t)bytes : ELF_WINDOW;
		size_t n =
			bytes < ELF_WINDOW + NEEDLE_MAX ? (size_t)bytes : ELF_WINDOW + NEEDLE_MAX;

		if (!elf_read(f, offset, window, n))
			return false;
		if (!search_window(window, n, starts, offset, needles, count, fn, ctx))
			return true;
		offset += starts;
		bytes -= starts;
	}
	return true;
}
