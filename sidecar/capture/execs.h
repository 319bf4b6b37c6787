/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first program executed in each new cgroup of our PID namespace, told as
 * it happens: how a started container is noticed. Costs nothing in between.
 *
 * Needs CAP_BPF and CAP_PERFMON; where attaching is refused all the same, pod/proc_poller.h does
 * it.
 */
#ifndef SIDELIGHT_CAPTURE_EXECS_H
#define SIDELIGHT_CAPTURE_EXECS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct execs;

/* Returns 0, or negative errno and nothing is attached. */
int execs_new(struct execs **ret_execs);
/* Accepts NULL. */
void execs_free(struct execs *e);

/* Readable when there is something to read. */
int execs_fd(const struct execs *e);

/* time_ns is CLOCK_MONOTONIC. */
typedef void (*exec_fn)(void *ctx, pid_t pid, uint64_t cgroup, uint64_t time_ns);

/* Hands out what has happened. Returns true if some were lost: then look at every process. */
bool execs_read(struct execs *e, exec_fn fn, void *ctx);

/* Be quiet about a cgroup; speak of it again. */
void execs_know(struct execs *e, uint64_t cgroup);
void execs_forget(struct execs *e, uint64_t cgroup);

#endif
