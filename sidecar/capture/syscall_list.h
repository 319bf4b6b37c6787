/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that `sidelight syscalls` counts, each under its own name: calls on sockets,
 * waits for descriptors of any kind, and io_uring_enter. Which of them there are depends on the
 * architecture.
 */
#ifndef SIDELIGHT_CAPTURE_SYSCALL_LIST_H
#define SIDELIGHT_CAPTURE_SYSCALL_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/syscalls.h"

enum syscall_kind { SYSCALL_NETWORK, SYSCALL_WAIT, SYSCALL_IO_URING, SYSCALL_KINDS };

/* By position, which is below syscall_count. */
extern const size_t syscall_count;
const char *syscall_name(uint32_t call);
enum syscall_kind syscall_kind(uint32_t call);
/* Whether the call moves bytes. */
bool syscall_has_bytes(uint32_t call);

/*
 * "EAGAIN"; for numbers that the kernel uses for interrupted calls what strace(1) prints. 0:
 * "OTHER", of those for whose numbers there was no room.
 */
#define SYSCALL_ERROR_SIZE 24
const char *syscall_error_name(uint32_t error, char buf[SYSCALL_ERROR_SIZE]);

/* What the BPF programs look up; with_exec: for a command, whose counting an execve() starts. */
void syscall_numbers(uint16_t ret_numbers[SL_CALL_NUMBERS], bool with_exec);

#endif
