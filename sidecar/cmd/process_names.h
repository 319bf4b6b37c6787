/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the processes that requests came from or went to, for clients of the control socket,
 * which run in the PID namespace of the sidecar.
 */
#ifndef SIDELIGHT_CMD_PROCESS_NAMES_H
#define SIDELIGHT_CMD_PROCESS_NAMES_H

#include <stdint.h>
#include <sys/types.h>

#include "pod/process.h"

#define PROCESS_NAMES 64

/* Zeroed, it is empty. */
struct process_names {
	struct {
		pid_t pid;
		uint64_t read_ms; /* of the monotonic clock */
		uint64_t started_ns; /* since 1970; UINT64_MAX: it has ended */
		char name[PROCESS_COMM_MAX];
	} entry[PROCESS_NAMES];
};

/*
 * "?" if there is no such process, or if it started after the request (nanoseconds since 1970; 0:
 * that does not matter): another one had its number then. Printable. Valid until the next call.
 */
const char *process_name(struct process_names *n, pid_t pid, uint64_t request_ns);

#endif
