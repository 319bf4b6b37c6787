/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/memory_limit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* Version 1 writes LONG_MAX, rounded down to a page, where there is no limit. */
#define NO_LIMIT (UINT64_C(1) << 60)

/* What a file of one number holds; 0: no number, as "max", or no file. */
static uint64_t read_number(const char *path)
{
	scoped_file FILE *file = fopen(path, "re");
	uint64_t n;

	return file && fscanf(file, "%" SCNu64, &n) == 1 && n < NO_LIMIT ? n : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return !b || (a && a < b) ? a : b;
}

/*
 * The least limit of the cgroup `path` and those above it. A container may have a path of the host
 * and only its own cgroup mounted, as the top: directories that are not there are passed over.
 */
static uint64_t least(const char *root, const char *mount, char *path, const char *name)
{
	uint64_t limit = 0;
	char file[PATH_MAX];

	for (;;) {
		char *slash = strrchr(path, '/');

		if (snprintf(file, sizeof(file), "%s/sys/fs/cgroup%s%s/%s", root, mount, path,
			     name) < (int)sizeof(file))
			limit = lesser(limit, read_number(file));
		if (!slash)
			return limit;
		*slash = '\0';
	}
}

static bool has_memory(const char *controllers)
{
	const char *at = strstr(controllers, "memory");

	return at && (at == controllers || at[-1] == ',') && (at[6] == ',' || at[6] == '\0');
}

/* A line of /proc/self/cgroup: number, controllers, path (cgroups(7)). */
static uint64_t line_limit(const char *root, char *line)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	char again[PATH_MAX];

	if (!path)
		return 0;
	*path++ = '\0';
	controllers++;
	path[strcspn(path, "\n")] = '\0';
	if (has_memory(controllers))
		return least(root, "/memory", path, "memory.limit_in_bytes");
	if (*controllers || strlen(path) >= sizeof(again))
		return 0;
	/* Version 2 is mounted at the top, or beside version 1. */
	memcpy(again, path, strlen(path) + 1);
	return lesser(least(root, "", path, "memory.max"),
		      least(root, "/unified", again, "memory.max"));
}

uint64_t memory_limit_read(const char *root)
{
	scoped_file FILE *file = NULL;
	scoped_free char *line = NULL;
	char name[PATH_MAX];
	uint64_t limit = 0;
	size_t alloc = 0;

	if (snprintf(name, sizeof(name), "%s/proc/self/cgroup", root) >= (int)sizeof(name))
		return 0;
	file = fopen(name, "re");
	while (file && getline(&line, &alloc, file) > 0)
		limit = lesser(limit, line_limit(root, line));
	return limit;
}
