/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resource limits of this process (ulimit) and of its cgroup, as far as libraries end the
 * process when they meet one: libuv does, for instance where it cannot make a pipe or a thread. So
 * they are tried out before the work begins.
 */
#ifndef SIDELIGHT_BASE_LIMITS_H
#define SIDELIGHT_BASE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define LIMITS_DESCRIPTORS_MAX 128
#define LIMITS_THREADS_MAX     8

struct limits_need {
	unsigned descriptors; /* beside those that are open; at most LIMITS_DESCRIPTORS_MAX */
	unsigned threads; /* beside this one; at most LIMITS_THREADS_MAX */
	uint64_t stack_bytes;
};

/* The standard descriptors are open. False: one line is added to `why`. */
bool limits_suffice(const struct limits_need *need, struct text *why);

#endif
