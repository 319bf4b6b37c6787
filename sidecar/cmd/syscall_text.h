/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report as text. Names of processes and threads are strangers' bytes: tables have `?` for what
 * is not printable, JSON has `\xNN`.
 *
 *  24 network system calls of 1 thread in 2.0 s: 1.21 ms in them, 900 us of that in 12 that blocked
 *
 *   PROCESS  THREAD  NAME   CALL      CALLS  ERRORS  BYTES     TIME  BLOCKED    P50    P99     MAX
 *      4711    4711  nginx  recvfrom     12       4   1000  1.21 ms   900 us  ...
 *
 * A part for each kind of call: network, waits, io_uring.
 */
#ifndef SIDELIGHT_CMD_SYSCALL_TEXT_H
#define SIDELIGHT_CMD_SYSCALL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "cmd/syscall_report.h"

/* What the text says beside the report. */
struct syscall_text {
	const struct syscall_report *report;
	enum syscall_by by;
	/* The name of a target's container, or NULL: there are no containers. */
	const char *(*container)(const void *ctx, uint32_t target);
	const void *ctx;
	double seconds; /* for which was counted */
	uint64_t lost; /* calls that are in no count */
	uint64_t of_32bit; /* calls of 32-bit programs, which are not counted */
	uint64_t filter_ns; /* what each system call of the node cost meanwhile */
	uint64_t network_filter_ns; /* a network call of another cgroup */
};

/* Lines are at most max_columns long; 0: as long as they need to be. */
void syscall_table_add(struct text *out, const struct syscall_text *o, size_t max_columns);

/* One object; as lines: one for each line of the report, then one with all else. */
void syscall_json_add(struct text *out, const struct syscall_text *o, bool as_lines);

#endif
