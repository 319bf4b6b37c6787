/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory cgroup of this process: the limit that the kernel enforces, and
 * what it charges to it, which includes what it keeps for us (maps, the state
 * of sockets). Version 2 and version 1, wherever they are mounted.
 */
#ifndef SIDELIGHT_POD_MEMORY_CGROUP_H
#define SIDELIGHT_POD_MEMORY_CGROUP_H

#include <stdint.h>

/*
 * The least limit of our cgroup and those above it, as far as they are mounted, in bytes; 0: there
 * is none. `root` stands before all paths: "", or a directory that a test has made.
 */
uint64_t memory_cgroup_limit(const char *root);

/* A descriptor of the file that holds the charge, of version 2 before version 1; -1: there is
 * none. */
int memory_cgroup_open_usage(void);

/* What that file holds, in bytes; 0: it cannot be read. */
uint64_t memory_cgroup_read_usage(int fd);

#endif
