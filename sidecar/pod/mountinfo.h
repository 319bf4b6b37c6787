/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of /proc/PID/mountinfo, and the paths in it (proc(5)):
 *
 *     36 35 0:30 ROOT POINT OPTIONS... - TYPE SOURCE OPTIONS
 */
#ifndef SIDELIGHT_POD_MOUNTINFO_H
#define SIDELIGHT_POD_MOUNTINFO_H

#include <stdbool.h>

/* Borrowed from the line that was parsed. */
struct mount_line {
	int id;
	const char *root; /* the directory of the file system that is mounted */
	const char *point; /* where, as the process's root directory has it */
	bool is_cgroup2;
	bool is_memory; /* the hierarchy of version 1 that has the memory controller */
};

/* Takes the line apart in place. False: it is none. */
bool mountinfo_parse(char *line, struct mount_line *ret_mount);

/* The part of path below root, without a leading '/'; NULL if it is not below. */
const char *path_below(const char *path, const char *root);

#endif
