/* SPDX-License-Identifier: Apache-2.0 */
/* A small ELF file with a key-log function, built by hand, in a descriptor that is no file's name.
 */
#ifndef SIDELIGHT_TESTS_UNIT_ELF_IMAGE_H
#define SIDELIGHT_TESTS_UNIT_ELF_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IMAGE_BYTES    0x1000
#define IMAGE_BASE     0x400000u /* the address of the file's first byte */
#define IMAGE_LABELS   0x200
#define IMAGE_CODE     0x300
#define IMAGE_FUNCTION 0x400
#define IMAGE_SYMBOLS  0x600
#define IMAGE_NAMES    0x700
#define IMAGE_GO_TABLE 0xa00
#define IMAGE_SECTIONS 0x800

/* ssl_log_secret() of OpenSSL 3.0, and its tail call. */
static const uint8_t image_function[] = {
	0xf3, 0x0f, 0x1e, 0xfa, /* endbr64 */
	0x48, 0x89, 0xf8, /* mov %rdi,%rax */
	0x49, 0x89, 0xd0, /* mov %rdx,%r8 */
	0x48, 0x89, 0xf7, /* mov %rsi,%rdi */
	0x49, 0x89, 0xc9, /* mov %rcx,%r9 */
	0x48, 0x8d, 0x90, 0x60, 0x01, 0x00, 0x00, /* lea 0x160(%rax),%rdx */
	0xb9, 0x20, 0x00, 0x00, 0x00, /* mov $32,%ecx */
	0x48, 0x89, 0xc6, /* mov %rax,%rsi */
	0xe9, 0x10, 0x00, 0x00, 0x00, /* jmp */
};
#define IMAGE_JUMP 31

/* lea label(%rip),%rsi; mov %rbx,%rdi; call the function: at `at`. */
static inline void image_call(uint8_t *image, uint32_t at, uint32_t label)
{
	int32_t to_label = (int32_t)(label - (at + 7));
	int32_t to_function = (int32_t)(IMAGE_FUNCTION - (at + 15));

	memcpy(image + at, "\x48\x8d\x35", 3);
	memcpy(image + at + 3, &to_label, 4);
	memcpy(image + at + 7, "\x48\x89\xdf\xe8", 4);
	memcpy(image + at + 11, &to_function, 4);
}

static inline void image_symbol(uint8_t *image, const char *name)
{
	const Elf64_Shdr sections[] = {
		{0},
		{.sh_type = SHT_SYMTAB,
		 .sh_offset = IMAGE_SYMBOLS,
		 .sh_size = 2 * sizeof(Elf64_Sym),
		 .sh_link = 2},
		{.sh_type = SHT_STRTAB, .sh_offset = IMAGE_NAMES, .sh_size = strlen(name) + 2},
	};
	const Elf64_Sym symbol = {.st_name = 1,
				  .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
				  .st_shndx = 1,
				  .st_value = IMAGE_BASE + IMAGE_FUNCTION};
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;

	header->e_shoff = IMAGE_SECTIONS;
	header->e_shentsize = sizeof(Elf64_Shdr);
	header->e_shnum = 3;
	memcpy(image + IMAGE_SECTIONS, sections, sizeof(sections));
	memcpy(image + IMAGE_SYMBOLS + sizeof(symbol), &symbol, sizeof(symbol));
	memcpy(image + IMAGE_NAMES + 1, name, strlen(name) + 1);
}

/* Two labels are passed to the function; no symbols. */
static inline void image_build(uint8_t image[IMAGE_BYTES])
{
	static const char labels[] = "CLIENT_RANDOM\0EARLY_EXPORTER_SECRET";
	const Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	const Elf64_Phdr segment = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = IMAGE_BASE,
		.p_filesz = IMAGE_BYTES,
		.p_memsz = IMAGE_BYTES,
	};

	memset(image, 0, IMAGE_BYTES);
	memcpy(image, &header, sizeof(header));
	memcpy(image + sizeof(header), &segment, sizeof(segment));
	memcpy(image + IMAGE_LABELS, labels, sizeof(labels));
	memcpy(image + IMAGE_FUNCTION, image_function, sizeof(image_function));
	image_call(image, IMAGE_CODE, IMAGE_LABELS);
	image_call(image, IMAGE_CODE + 0x20, IMAGE_LABELS + 14);
}

/* The table of the Go runtime in a segment of its own, and a function as Go makes them. */
static inline void image_go_table(uint8_t *image, const char *name, uint64_t text_address)
{
	static const char function[] = "\x49\x3b\x66\x10\x0f\x86\x10\0\0"; /* and the last zero */
	const Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD,
		 .p_flags = PF_R | PF_X,
		 .p_vaddr = IMAGE_BASE,
		 .p_filesz = IMAGE_GO_TABLE},
		{.p_type = PT_LOAD,
		 .p_flags = PF_R,
		 .p_offset = IMAGE_GO_TABLE,
		 .p_vaddr = IMAGE_BASE + IMAGE_GO_TABLE,
		 .p_filesz = IMAGE_BYTES - IMAGE_GO_TABLE},
	};
	/* What comes first is a number of 32 bits and four bytes; two functions; the last one is
	 * it. */
	const uint64_t header[] = {0x08010000fffffff1, 2, 0, text_address, 72, 200, 200, 200, 200};
	const uint32_t functions[] = {0, 24, IMAGE_FUNCTION, 32, IMAGE_FUNCTION + 64, 0};
	const uint32_t entries[] = {0, 0, IMAGE_FUNCTION, 5};
	uint8_t *table = image + IMAGE_GO_TABLE;

	((Elf64_Ehdr *)image)->e_phnum = 2;
	memcpy(image + sizeof(Elf64_Ehdr), segments, sizeof(segments));
	memcpy(image + IMAGE_FUNCTION, function, sizeof(function));
	memcpy(table, header, sizeof(header));
	memcpy(table + 72, "main", 5);
	memcpy(table + 72 + 5, name, strlen(name) + 1);
	memcpy(table + 200, functions, sizeof(functions));
	memcpy(table + 200 + sizeof(functions), entries, sizeof(entries));
}

/* -1: no descriptor. */
static inline int image_open(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, bytes, len) != (ssize_t)len) {
		(void)close(fd); /* the caller fails */
		fd = -1;
	}
	return fd;
}

#endif
