/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process that reads strangers' bytes gives up, for good, before it
 * reads the first of them. A parser that was taken over can then do what this
 * leaves, and nothing else:
 *
 *   capabilities  none, in any set; no_new_privs keeps it so after an execve()
 *   files         only those below the given directories and a few of the
 *                 system's, and only to read (Landlock, kernel 5.13); neither
 *                 memory nor environment of another process
 *   system calls  an allow-list of what the event loop, libcurl and the
 *                 resolver do (seccomp). Others fail with EPERM; those that only
 *                 an attacker makes (execve, bpf, ptrace, mount, ...) end the process
 *   memory        nothing becomes executable
 *   signals       to itself only
 */
#ifndef SIDELIGHT_POD_SANDBOX_H
#define SIDELIGHT_POD_SANDBOX_H

#include <stddef.h>

/*
 * To be called first of all: whoever opens an io_uring gets ENOSYS. A library
 * that has one goes by it later (libuv), which the filter cannot look into.
 * Returns 0 or negative errno.
 */
int sandbox_begin(void);

/*
 * files: paths that are read again later, NULL among them ignored; what stands
 * in the same directory can be read, too, since a mounted Secret is renewed by
 * renaming links. Must be called by the only thread. Returns 0, or negative
 * errno after one log line: then the process must not go on.
 * A kernel without Landlock is no error.
 */
int sandbox_enter(const char *const *files, size_t count);

#endif
