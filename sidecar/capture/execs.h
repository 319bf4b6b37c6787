/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports each execution of a program in our PID namespace, unless execs_ignore() was called for
 * its cgroup: this is how a started container is noticed. All other executions cost a comparison or
 * a look-up.
 *
 * Needs CAP_BPF and CAP_PERFMON; where attaching is refused nevertheless, pod/proc_poller.h
 * replaces it.
 */
#ifndef SIDELIGHT_CAPTURE_EXECS_H
#define SIDELIGHT_CAPTURE_EXECS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct execs;

/* Returns 0, or negative errno with nothing attached. */
int execs_new(struct execs **ret_execs);
/* Accepts NULL. */
void execs_free(struct execs *e);

/* Readable when there is something to read. */
int execs_fd(const struct execs *e);

/* time_ns is CLOCK_MONOTONIC. */
typedef void (*exec_fn)(void *ctx, pid_t pid, uint64_t cgroup, uint64_t time_ns);

/* Calls fn for each event. Returns true if events were lost: then check every process. */
bool execs_read(struct execs *e, exec_fn fn, void *ctx);

/* Stop and resume reporting programs of a cgroup. */
void execs_ignore(struct execs *e, uint64_t cgroup);
void execs_watch(struct execs *e, uint64_t cgroup);

#endif
