/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was counted, as lines for people and programs: of one thread or one process each, with the
 * latest names, the distribution of durations, and the errors by number.
 */
#ifndef SIDELIGHT_CMD_SYSCALL_REPORT_H
#define SIDELIGHT_CMD_SYSCALL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/syscalls.h"

/* These two in the order of the options' words. */
enum syscall_by { SYSCALL_BY_THREAD, SYSCALL_BY_PROCESS };
enum syscall_sort {
	SYSCALL_SORT_TIME,
	SYSCALL_SORT_CALLS,
	SYSCALL_SORT_ERRORS,
	SYSCALL_SORT_BYTES,
	SYSCALL_SORT_BLOCKED,
	SYSCALL_SORT_P99,
	SYSCALL_SORT_MAX,
	SYSCALL_SORT_PROCESS,
};

struct syscall_line_error {
	uint32_t error; /* errno; 0: those for whose numbers there was no room */
	uint64_t count;
};

struct syscall_line {
	uint32_t call; /* capture/syscall_list.h */
	bool is_other; /* of threads without lines of their own: no names, no errors by number */
	uint32_t target; /* as syscalls_add() got it */
	uint32_t process; /* as our PID namespace numbers it; 0: it is not in there */
	uint32_t thread; /* likewise; 0 by process */
	char process_name[SL_CALL_COMM_SIZE]; /* a stranger's bytes */
	char thread_name[SL_CALL_COMM_SIZE]; /* likewise; "" by process */
	uint64_t calls; /* that have returned */
	uint64_t errors;
	uint64_t bytes;
	uint64_t time_ns;
	uint64_t max_ns;
	uint64_t blocked; /* calls in which the thread slept */
	uint64_t blocked_ns; /* time of these calls */
	uint64_t open; /* calls that have not returned */
	uint64_t open_ns; /* for how long, the longest of them */
	uint64_t p99_ns;
	uint64_t bucket[SL_CALL_BUCKETS];
	const struct syscall_line_error *error; /* error_count, by number */
	size_t error_count;
};

struct syscall_report {
	struct syscall_line *lines; /* by kind, then the largest first */
	size_t line_count;
	struct syscall_line_error *errors;
};

/* counts is read only. Returns 0 or -ENOMEM; syscall_report_release() is needed after success. */
int syscall_report_make(struct syscall_report *ret_report, const struct syscall_counts *counts,
			enum syscall_by by, enum syscall_sort sort);
void syscall_report_release(struct syscall_report *r);

/* The first duration of a bucket, in nanoseconds; SL_CALL_BUCKETS: the end of the last one. */
uint64_t syscall_bucket_ns(size_t bucket);
/*
 * The duration that this share (0 to 1) of the calls does not exceed: the middle of its bucket, at
 * most an eighth off, if it is above 128 ns. 0 without calls.
 */
uint64_t syscall_quantile_ns(const struct syscall_line *line, double share);

#endif
