/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of a Go program by name, from the table that the Go runtime itself reads
 * (.gopclntab): stripping a program leaves it in. Go 1.18 and newer.
 */
#ifndef SIDELIGHT_ELF_GO_TABLE_H
#define SIDELIGHT_ELF_GO_TABLE_H

#include "elf/file.h"

/* Returns the function's address; 0: there is no table, or no such function. */
uint64_t go_table_find_function(struct elf_file *f, const char *name);

#endif
