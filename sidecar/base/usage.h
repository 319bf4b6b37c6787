/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process has used up to now.
 */
#ifndef SIDELIGHT_BASE_USAGE_H
#define SIDELIGHT_BASE_USAGE_H

#include <stdint.h>

struct usage {
	uint64_t resident_bytes; /* 0: unknown */
	uint64_t cpu_ns; /* user and system time of all threads */
};

/* The first call is to be made before pod/sandbox.h closes /proc, and not before a fork(). */
struct usage usage_read(void);

#endif
