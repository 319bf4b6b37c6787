/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a system call of somebody else costs on this machine, now: the least of several short
 * measurements. The difference between two of them is what was attached between them.
 */
#ifndef SIDELIGHT_CAPTURE_SYSCALL_COST_H
#define SIDELIGHT_CAPTURE_SYSCALL_COST_H

#include <stdint.h>

struct syscall_cost {
	double any_ns; /* one that nobody counts: getppid() */
	double network_ns; /* one of those that are counted for others: close() */
};

/* Takes some 5 ms. */
struct syscall_cost syscall_cost_measure(void);
/* What was added since `before`, in whole nanoseconds; not below 0. */
uint64_t syscall_cost_added(double before_ns, double now_ns);

#endif
