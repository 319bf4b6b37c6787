/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers of our Pod, found through the processes of the PID namespace
 * that they share with us.
 *
 *   unknown   -> containers_look() at one of its processes -> watched or ignored
 *   watched   found() was called, with its cgroup          -> ended
 *   ignored   ourselves, pause, mesh proxies, what         -> ended
 *             --containers leaves out, other Pods
 *   ended     its cgroup is empty: gone() was called if it was watched; forgotten
 *
 * A container that is restarted is a new one: the old one ends first. Ends are
 * reported by the kernel (cgroup.events), so nothing is polled here. New
 * processes are found by capture/execs.h or pod/proc_poller.h.
 */
#ifndef SIDELIGHT_POD_CONTAINERS_H
#define SIDELIGHT_POD_CONTAINERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pod/cgroup.h"
#include "pod/identity.h"
#include "pod/process.h"

/* Ignored ones included; beyond it containers are not watched, and one line says so. */
#define CONTAINERS_MAX 64

struct container {
	char name[IDENTITY_VALUE_MAX]; /* the kubelet's, or else the first digits of id */
	char id[PROCESS_ID_MAX];
	pid_t pid; /* main process: the oldest that is left */
	uint64_t started; /* when that was, in ticks since boot */
	uint64_t cgroup_id;
};

struct containers_ops {
	/* cgroup is given. Returns 0 or negative errno: then the container is ignored. */
	int (*found)(void *ctx, const struct container *c, struct cgroup *cgroup);
	void (*gone)(void *ctx, const struct container *c);
};

struct containers;

/* only: names to watch, comma-separated, borrowed; NULL for all but proxies. NULL: no memory. */
struct containers *containers_new(const char *only, const struct containers_ops *ops, void *ctx);
/* Calls nothing; accepts NULL. */
void containers_free(struct containers *c);

enum containers_look {
	LOOK_EARLY, /* it was found: its container may be in the making */
	LOOK_EXEC, /* it has executed a program: hardly, but another may follow */
	LOOK_LAST, /* a container that cannot be watched now is given up, and named in one line */
};

/* Looks at one process. Returns 0 when its container needs no further look;
 * -EAGAIN, not for LOOK_LAST, when it may still be in the making: look again. */
int containers_look(struct containers *c, pid_t pid, enum containers_look how);
/* At every process there is; later is called with those that answered -EAGAIN. */
void containers_scan(struct containers *c, enum containers_look how,
		     void (*later)(void *ctx, pid_t pid), void *ctx);

/* Readable when a container may have ended: call containers_read(). */
int containers_fd(const struct containers *c);
void containers_read(struct containers *c);

/* How many are watched now. */
size_t containers_watched(const struct containers *c);

#endif
