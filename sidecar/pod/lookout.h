/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices new processes of our PID namespace without tracing, for where the
 * kernel refuses the tracepoint (lockdown, seccomp). No file of /proc tells of
 * changes, so this looks; but hardly ever while nothing is going on.
 *
 *   FAST   every 20 ms, for 10 s: after the start, after lookout_hurry() (a
 *          container has ended), and when the kubelet writes /etc/hosts, as it
 *          does before it makes each container
 *   SLOW   every 2 s otherwise: for what came unannounced
 *
 * One look is one read of the number that the namespace gave last
 * (/proc/loadavg): only new processes are looked at.
 */
#ifndef SIDELIGHT_POD_LOOKOUT_H
#define SIDELIGHT_POD_LOOKOUT_H

#include <stdbool.h>
#include <sys/types.h>

struct lookout;

/* NULL: no memory or descriptors. Begins FAST; processes from now on are new. */
struct lookout *lookout_new(void);
/* Accepts NULL. */
void lookout_free(struct lookout *l);

/* Readable: call lookout_read(). */
int lookout_fd(const struct lookout *l);

/* Answers -EAGAIN for a process that is not to be told from others yet: it is asked again, at last
 * with is_last. Anything else settles it. */
typedef int (*lookout_fn)(void *ctx, pid_t pid, bool is_last);

/* Calls fn for each new process. Returns true if there are too many: look at every one. */
bool lookout_read(struct lookout *l, lookout_fn fn, void *ctx);

/* As if it were new and had answered -EAGAIN. */
void lookout_later(struct lookout *l, pid_t pid);

void lookout_hurry(struct lookout *l);

#endif
