/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/mountinfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/value.h"

/* Blanks and backslashes are written as \ooo. */
static void unescape(char *str)
{
	char *to = str;

	for (; *str; str++) {
		if (str[0] == '\\' && strspn(str + 1, "01234567") >= 3) {
			*to++ = (char)((str[1] - '0') << 6 | (str[2] - '0') << 3 | (str[3] - '0'));
			str += 3;
		} else {
			*to++ = *str;
		}
	}
	*to = '\0';
}

bool mountinfo_parse(char *line, struct mount_line *ret_mount)
{
	char *rest = strstr(line, " - ");
	char *save = NULL;
	char *word[5];
	const char *type;
	const char *options;

	if (!rest)
		return false;
	*rest = '\0';
	type = strtok_r(rest + 3, " \n", &save);
	options = strtok_r(NULL, " \n", &save) ? strtok_r(NULL, " \n", &save) : NULL;
	if (!type)
		return false;
	for (int i = 0; i < 5; i++) {
		word[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!word[i])
			return false;
	}
	unescape(word[3]);
	unescape(word[4]);
	*ret_mount = (struct mount_line){
		.id = atoi(word[0]), /* the kernel's own number */
		.root = word[3],
		.point = word[4],
		.is_cgroup2 = strcmp(type, "cgroup2") == 0,
		.is_memory = strcmp(type, "cgroup") == 0 && options &&
			     value_is_listed(options, "memory"),
	};
	return true;
}

const char *path_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	if (strncmp(path, root, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len + strspn(path + len, "/");
}
