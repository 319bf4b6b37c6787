/* SPDX-License-Identifier: Apache-2.0 */
#include "pod/memory_cgroup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/value.h"
#include "pod/mountinfo.h"

/* Version 1 writes LONG_MAX, rounded down to a page, where there is no limit. */
#define NO_LIMIT (UINT64_C(1) << 60)

enum version { VERSION_2, VERSION_1, VERSION_MAX };

static const struct {
	const char *limit;
	const char *usage;
} files[VERSION_MAX] = {
	[VERSION_2] = {"memory.max", "memory.current"},
	[VERSION_1] = {"memory.limit_in_bytes", "memory.usage_in_bytes"},
};

/* A directory of a cgroup: top bytes of it are where the hierarchy is mounted. */
struct place {
	size_t top;
	char dir[2 * PATH_MAX];
};

static FILE *open_proc(const char *root, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/proc/self/%s", root, name) >= (int)sizeof(path))
		return NULL;
	return fopen(path, "re");
}

/* Our path in the hierarchy (cgroups(7)): of version 2 in the line with number 0 and no
 * controllers. */
static bool read_path(const char *root, enum version version, char *ret_path, size_t size)
{
	scoped_file FILE *file = open_proc(root, "cgroup");
	scoped_free char *line = NULL;
	size_t alloc = 0;

	while (file && getline(&line, &alloc, file) > 0) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (version == VERSION_2 ? strcmp(line, "0:") == 0
					 : value_is_listed(controllers + 1, "memory"))
			return snprintf(ret_path, size, "%s", path) < (int)size;
	}
	return false;
}

/*
 * Our cgroup in the first mount that shows it. A container may have a path of the host, and its own
 * cgroup mounted under a root that is outside of its view: then the top of the mount is ours.
 */
static bool find(const char *root, enum version version, struct place *ret_place)
{
	scoped_file FILE *file = open_proc(root, "mountinfo");
	scoped_free char *line = NULL;
	char path[PATH_MAX];
	struct mount_line m;
	const char *below = NULL;
	bool is_found = false;
	size_t alloc = 0;

	if (!read_path(root, version, path, sizeof(path)))
		return false;
	while (!below && file && getline(&line, &alloc, file) > 0) {
		if (!mountinfo_parse(line, &m) ||
		    !(version == VERSION_2 ? m.is_cgroup2 : m.is_memory))
			continue;
		below = path_below(path, m.root);
		if ((is_found && !below) || strlen(root) + strlen(m.point) >= PATH_MAX)
			continue;
		ret_place->top = (size_t)snprintf(ret_place->dir, PATH_MAX, "%s%s", root, m.point);
		if (below && *below)
			(void)snprintf(ret_place->dir + ret_place->top, PATH_MAX, "/%s",
				       below); /* shorter than path */
		is_found = true;
	}
	return is_found;
}

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

static uint64_t least(struct place *p, const char *name)
{
	char file[sizeof(p->dir) + 32];
	uint64_t limit = 0;
	char *slash;

	do {
		(void)snprintf(file, sizeof(file), "%s/%s", p->dir, name); /* it fits */
		limit = lesser(limit, read_number(file));
		slash = strrchr(p->dir + p->top, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return limit;
}

uint64_t memory_cgroup_limit(const char *root)
{
	uint64_t limit = 0;
	struct place place;

	for (enum version v = 0; v < VERSION_MAX; v++)
		if (find(root, v, &place))
			limit = lesser(limit, least(&place, files[v].limit));
	return limit;
}

int memory_cgroup_open_usage(void)
{
	char file[sizeof(struct place) + 32];
	struct place place;
	int fd = -1;

	for (enum version v = 0; fd < 0 && v < VERSION_MAX; v++) {
		if (!find("", v, &place))
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", place.dir,
			       files[v].usage); /* it fits */
		fd = open(file, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

uint64_t memory_cgroup_read_usage(int fd)
{
	char text[32];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}
