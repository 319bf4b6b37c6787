/* SPDX-License-Identifier: Apache-2.0 */
#include "base/word_list.h"

#include <stdint.h>

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool word_matches(struct span pattern, struct span s)
{
	size_t star = SIZE_MAX; /* where the last * stands in the pattern */
	size_t from = 0; /* and how far s was taken for it */
	size_t p = 0;
	size_t i = 0;

	while (i < s.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			from = i;
		} else if (p < pattern.len && fold(pattern.ptr[p]) == fold(s.ptr[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

bool word_list_next(const char **list, struct span *ret)
{
	const char *at = *list;
	size_t len;

	if (!at)
		return false;
	len = strcspn(at, ",");
	*list = at[len] ? at + len + 1 : NULL;
	*ret = (struct span){at, len};
	return true;
}

bool word_list_matches(const char *list, struct span s)
{
	struct span word;

	while (word_list_next(&list, &word))
		if (word_matches(word, s))
			return true;
	return false;
}
