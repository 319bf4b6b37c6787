/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 64-bit little-endian ELF file that a stranger wrote: every offset, size and address in it may
 * be wrong. It is read in windows through a descriptor, and never mapped, since it may shrink
 * meanwhile.
 *
 * Memory is constant, and the bytes that all calls together may read are bounded: beyond
 * ELF_READ_MAX every read fails.
 */
#ifndef SIDELIGHT_ELF_FILE_H
#define SIDELIGHT_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 16
#define ELF_SECTIONS_MAX 16384
#define ELF_WINDOW	 (64u << 10)
#define ELF_READ_MAX	 (UINT64_C(2) << 30)

/* A part of the file that is loaded to memory. */
struct elf_segment {
	uint64_t offset;
	uint64_t address;
	uint64_t bytes; /* that are in the file */
	bool is_executable;
};

/* A table of symbols with its strings; bytes 0: there is none. */
struct elf_table {
	uint64_t offset;
	uint64_t bytes;
	uint64_t names_offset;
	uint64_t names_bytes;
};

struct elf_file {
	int fd; /* borrowed */
	uint64_t size;
	uint64_t read_left;
	uint16_t machine;
	bool is_fixed; /* ET_EXEC: code may hold absolute addresses */
	size_t segment_count;
	struct elf_segment segment[ELF_SEGMENTS_MAX];
	struct elf_table table[2]; /* .symtab, .dynsym */
	uint64_t text_address; /* of the largest section with code; 0: not known */
};

/* Returns 0; -ENOEXEC: it is no ELF file, or a malformed one; or negative errno. */
int elf_open(struct elf_file *f, int fd);

/* Reads exactly len bytes. False: they are not all there, or the bound is reached. */
bool elf_read(struct elf_file *f, uint64_t offset, void *ret_bytes, size_t len);

/* The segment that has the byte at this address in the file; NULL: none. */
const struct elf_segment *elf_segment_of(const struct elf_file *f, uint64_t address);
/* Its place in the file. False: as above. */
bool elf_offset_of(const struct elf_file *f, uint64_t address, uint64_t *ret_offset);
/* Reads up to len bytes at an address, fewer at the segment's end. Returns how many. */
size_t elf_read_address(struct elf_file *f, uint64_t address, void *ret_bytes, size_t len);

/* Called for each place in order. False ends the search. */
typedef bool (*elf_found_fn)(void *ctx, size_t which, uint64_t offset);

/*
 * Looks for strings, with the zero that ends them, in a part of the file. needles: at most 64 bytes
 * each. Returns false if not all of it could be read.
 */
bool elf_search(struct elf_file *f, uint64_t offset, uint64_t bytes, const char *const *needles,
		size_t count, elf_found_fn fn, void *ctx);

#endif
