/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the network system calls of cgroups, by thread: loads bpf/syscalls.bpf.c, whose
 * tracepoints every system call of the node passes for as long as it is attached, and reads its
 * maps.
 *
 *     syscalls_new() -> syscalls_add() for each cgroup, also later -> syscalls_attach()
 *                    -> syscalls_detach() -> syscalls_read()
 *
 * Needs CAP_BPF, CAP_PERFMON and a kernel with BTF; raises privileges itself (pod/privilege.h).
 * The programs belong to this process, and are gone with it, however it ends. Functions return 0
 * or negative errno, and log nothing but libbpf's messages.
 */
#ifndef SIDELIGHT_CAPTURE_SYSCALLS_H
#define SIDELIGHT_CAPTURE_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/syscalls.h"

struct programs;
struct syscalls;

struct syscalls_options {
	uint32_t max_rows; /* threads, or cgroups, times calls */
	bool begins_at_exec; /* nothing counts before the first execve() */
	/* A row is of a cgroup: its key's tid is the target's number, and it has no names. */
	bool by_target;
	/* NULL, or the programs whose ring gets SL_READ records; borrowed for the call. */
	const struct programs *capture;
};

int syscalls_new(struct syscalls **ret_syscalls, const struct syscalls_options *options);
/* Detaches. Accepts NULL. */
void syscalls_free(struct syscalls *s);

/*
 * Counts a cgroup with all below it under this number, which is not 0. -ENOSPC: there are
 * SL_CALL_TARGETS_MAX.
 */
int syscalls_add(struct syscalls *s, int cgroup_fd, uint64_t cgroup_id, uint32_t number);
/* What was counted stays. */
void syscalls_remove(struct syscalls *s, uint64_t cgroup_id);

/* Whether the ring of the capture gets SL_READ records. */
bool syscalls_reports_reads(const struct syscalls *s);

int syscalls_attach(struct syscalls *s);
void syscalls_detach(struct syscalls *s);

struct syscall_row {
	struct sl_call_key key;
	struct sl_call_row counts;
	uint64_t open_ns; /* for how long a call has not returned; 0: there is none */
};

struct syscall_error {
	struct sl_call_key key;
	uint32_t error;
	uint64_t count;
};

struct syscall_counts {
	struct syscall_row *rows; /* by key */
	size_t row_count;
	struct syscall_error *errors;
	size_t error_count;
	struct sl_call_row overflow[SL_CALLS_MAX]; /* threads without rows of their own, by call */
	uint64_t lost; /* calls that are in no count */
	uint64_t errors_unnamed; /* errors of rows that are not in errors: there was no room */
	uint64_t reads_lost; /* calls that are counted, but whose reads were not reported */
	uint64_t of_32bit; /* calls of 32-bit programs that were seen: these are not counted */
};

/* Everything counted so far; syscall_counts_free() is needed after success. */
int syscalls_read(struct syscalls *s, struct syscall_counts **ret_counts);
/* Accepts NULL. */
void syscall_counts_free(struct syscall_counts *c);

#endif
