/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the system calls of the targets while the worker wants it: its tracepoints, which every
 * system call of the node passes, are loaded for so long only.
 *
 *   OFF   nothing is loaded
 *   ON    all targets are counted; rows go to the worker when it refreshes its counters
 *
 * If the kernel refuses it, one line says so, and it is OFF.
 */
#ifndef SIDELIGHT_BROKER_SYSCALL_COUNTING_H
#define SIDELIGHT_BROKER_SYSCALL_COUNTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/targets.h"
#include "capture/syscalls.h"

/* Zeroed, it is OFF. */
struct syscall_counting {
	struct targets *targets; /* borrowed */
	struct syscalls *syscalls; /* owned; NULL: OFF */
	uint64_t beginnings;
	uint64_t filter_ns;
	uint64_t network_filter_ns;
	size_t next; /* the row with which the next refresh begins */
	uint64_t counted[SL_CALL_TARGETS_MAX]; /* cgroup ids; 0: free */
};

/* ON or OFF, and tells the worker. */
void syscall_counting_set(struct syscall_counting *c, struct targets *targets, bool is_on);
/* Sends the rows, as far as the channel has room: the rest comes first the next time. */
void syscall_counting_send(struct syscall_counting *c);
/* OFF. */
void syscall_counting_stop(struct syscall_counting *c);

#endif
