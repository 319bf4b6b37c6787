/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of an ELF file by their names, from both of its tables of symbols. */
#ifndef SIDELIGHT_ELF_SYMBOLS_H
#define SIDELIGHT_ELF_SYMBOLS_H

#include "elf/file.h"

#define ELF_NAMES_MAX 8

/*
 * ret_addresses[i]: where the function names[i] begins; 0: there is none of that name. At most
 * ELF_NAMES_MAX names.
 */
void elf_find_functions(struct elf_file *f, const char *const *names, size_t count,
			uint64_t *ret_addresses);

#endif
