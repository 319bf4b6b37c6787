/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices new processes of our PID namespace without tracing, for where the
 * kernel refuses the tracepoint (lockdown, seccomp). No file of /proc tells of
 * changes, so this looks; but hardly ever while nothing is going on.
 *
 *   FAST   every 20 ms, for 10 s: after the start, after proc_poller_hurry() (a
 *          container has ended), and when the kubelet writes /etc/hosts, as it
 *          does before it makes each container
 *   SLOW   every 2 s otherwise: for what came unannounced
 *
 * One look is one read of the number that the namespace gave last
 * (/proc/loadavg): only new processes are looked at.
 */
#ifndef SIDELIGHT_POD_PROC_POLLER_H
#define SIDELIGHT_POD_PROC_POLLER_H

#include <stdbool.h>
#include <sys/types.h>

struct proc_poller;

/* NULL: no memory or descriptors. Begins FAST; processes from now on are new. */
struct proc_poller *proc_poller_new(void);
/* Accepts NULL. */
void proc_poller_free(struct proc_poller *l);

/* Readable: call proc_poller_read(). */
int proc_poller_fd(const struct proc_poller *l);

/* Answers -EAGAIN for a process whose container is not known yet: it is asked again, at last
 * with is_last. Any other answer is final. */
typedef int (*proc_poller_fn)(void *ctx, pid_t pid, bool is_last);

/* Calls fn for each new process. Returns true if there are too many: look at every one. */
bool proc_poller_read(struct proc_poller *l, proc_poller_fn fn, void *ctx);

/* As if it were new and had answered -EAGAIN. */
void proc_poller_later(struct proc_poller *l, pid_t pid);

void proc_poller_hurry(struct proc_poller *l);

#endif
