/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files whose code a process has mapped, from /proc/PID/maps; needs CAP_SYS_PTRACE for
 * processes of others. Everything in it comes from strangers: lines and paths are bounded, and a
 * path is followed inside of the process's root.
 */
#ifndef SIDELIGHT_BROKER_MAPPED_FILES_H
#define SIDELIGHT_BROKER_MAPPED_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPPED_FILE_PATH_MAX 512
/* Executable mappings of one process that are looked at. */
#define MAPPED_FILES_MAX 512

struct mapped_file {
	uint64_t device; /* as the kernel prints it there: only to be compared */
	uint64_t inode;
	const char *path; /* in the process's mount namespace */
	bool is_deleted;
};

/* Calls fn for each. Returns 0 or negative errno: the process has ended, or this is not permitted.
 */
int mapped_files_each(pid_t pid, void (*fn)(void *ctx, const struct mapped_file *f), void *ctx);

/* Opens one to read. -ESTALE: there is another file at this path now. Returns a descriptor. */
int mapped_file_open(pid_t pid, const struct mapped_file *f);

#endif
