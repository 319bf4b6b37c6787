/* SPDX-License-Identifier: Apache-2.0 */
/* The key-log function of a library without symbols, found by the labels that are passed to it. */
#ifndef SIDELIGHT_ELF_LABELS_H
#define SIDELIGHT_ELF_LABELS_H

#include "elf/file.h"

/* Which argument of the function the label is. */
enum label_argument { LABEL_FIRST, LABEL_SECOND };

/* Returns the function's address; 0: there is none. */
uint64_t labels_find_function(struct elf_file *f, enum label_argument *ret_argument);

#endif
