/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel charges to our own memory cgroup, which includes what it
 * keeps for us: maps, and the state of sockets.
 */
#ifndef SIDELIGHT_POD_MEMORY_USAGE_H
#define SIDELIGHT_POD_MEMORY_USAGE_H

#include <stdint.h>

/* A descriptor of the file that tells, of version 2 before version 1; -1: there is none. */
int memory_usage_open(void);

/* Bytes; 0: it cannot be told. */
uint64_t memory_usage_read(int fd);

#endif
