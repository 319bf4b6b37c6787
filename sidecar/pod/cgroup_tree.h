/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroups below a directory of the cgroup2 file system.
 *
 * Walks are bounded: by CGROUP_TREE_MAX directories, and in depth. Functions
 * return 0 or negative errno and never log.
 */
#ifndef SIDELIGHT_POD_CGROUP_TREE_H
#define SIDELIGHT_POD_CGROUP_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "pod/cgroup.h"

#define CGROUP_TREE_MAX 16384

struct cgroup_tree_entry {
	uint64_t id;
	int dir_fd; /* the directory it is in, and its name there: "." for the top */
	const char *name;
	const char *path; /* of the directory that the walk began with, and all names below */
};

/*
 * Calls fn for the directory, which is borrowed, and for each below it, until
 * fn answers true. -E2BIG: there are more than the bound, or deeper ones.
 */
int cgroup_tree_each(int dir_fd, const char *path,
		     bool (*fn)(void *ctx, const struct cgroup_tree_entry *entry), void *ctx);

/* Opens the cgroup with this id, wherever it is below the mount that shows our own. -ENOENT: it
 * was removed, or that mount does not show it. */
int cgroup_tree_open(struct cgroup *ret_cgroup, uint64_t id);

#endif
