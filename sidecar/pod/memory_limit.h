/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory limit that the kernel enforces on this process: that of its cgroup or of any above it,
 * as far as they are mounted at /sys/fs/cgroup. Version 2 (memory.max) and version 1
 * (memory.limit_in_bytes).
 */
#ifndef SIDELIGHT_POD_MEMORY_LIMIT_H
#define SIDELIGHT_POD_MEMORY_LIMIT_H

#include <stdint.h>

/* The least of them in bytes; 0: there is none. `root` stands before all paths: "", or a
 * directory that a test has made. */
uint64_t memory_limit_read(const char *root);

#endif
