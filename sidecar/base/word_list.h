/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of words, separated by commas, that users choose things by. A * in a word stands for any
 * characters; case does not count.
 */
#ifndef SIDELIGHT_BASE_WORD_LIST_H
#define SIDELIGHT_BASE_WORD_LIST_H

#include <stdbool.h>

#include "base/span.h"

bool word_matches(struct span pattern, struct span s);

/* The next word of a list; false: there is none. */
bool word_list_next(const char **list, struct span *ret);

/* True if a word of the list matches. */
bool word_list_matches(const char *list, struct span s);

#endif
