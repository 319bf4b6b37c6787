/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/memory_usage.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pod/mountinfo.h"

/* Is the option one of those, which commas part? */
static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = options; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

/* Where the file system is mounted, and what of it: false if it is not. */
static bool find_mount(bool is_version2, char *ret_point, char *ret_root)
{
	scoped_file FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[3 * PATH_MAX];
	char type[32];
	char options[256];
	const char *rest;

	while (file && fgets(line, sizeof(line), file)) {
		rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", ret_root, ret_point) != 2 ||
		    sscanf(rest, " - %31s %*s %255s", type, options) != 2)
			continue;
		if (strcmp(type, is_version2 ? "cgroup2" : "cgroup") == 0 &&
		    (is_version2 || has_option(options, "memory")))
			return true;
	}
	return false;
}

/* Our path in the hierarchy, as /proc/self/cgroup has it. */
static bool find_path(bool is_version2, char *ret_path)
{
	scoped_file FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 256];

	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (is_version2 ? strncmp(line, "0:", 2) != 0 || controllers[1]
				: !has_option(controllers + 1, "memory"))
			continue;
		(void)snprintf(ret_path, PATH_MAX, "%s", path); /* a longer one is not found */
		return true;
	}
	return false;
}

/* The file in our cgroup, or -1. */
static int open_file(bool is_version2)
{
	char point[PATH_MAX];
	char root[PATH_MAX];
	char path[PATH_MAX];
	char file[2 * PATH_MAX + 32];
	const char *below;

	if (!find_mount(is_version2, point, root) || !find_path(is_version2, path))
		return -1;
	/* A container may have a path of the host, and only its own cgroup mounted. */
	below = path_below(path, root);
	(void)snprintf(file, sizeof(file), "%s/%s%s%s", point, below ? below : "",
		       below && *below ? "/" : "",
		       is_version2 ? "memory.current" : "memory.usage_in_bytes"); /* it fits */
	return open(file, O_RDONLY | O_CLOEXEC);
}

int memory_usage_open(void)
{
	int fd = open_file(true);

	return fd >= 0 ? fd : open_file(false);
}

uint64_t memory_usage_read(int fd)
{
	char text[32];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}
