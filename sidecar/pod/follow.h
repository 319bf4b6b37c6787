/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a cgroup by its path: the restart of a service removes its cgroup
 * and makes another one of the same name, with a new id.
 *
 *   PRESENT   the path is a cgroup                 -> GONE, PRESENT with a new id
 *   GONE      no directory has the path            -> PRESENT
 *
 * inotify reports directories that are made in and removed from every
 * directory above the path. It is a queue of the virtual file system, so that
 * it loses nothing, as notifications of cgroup.events are lost when the cgroup
 * is removed within 10 ms (cgroup_file_notify()). Each report, whatever it
 * says, leads to one look at the path. Where there is no inotify instance
 * left, the path is looked at every two seconds.
 *
 * A cgroup of another container has no path here. Of such, the processes are
 * followed: GONE is a cgroup without any.
 */
#ifndef SIDELIGHT_POD_FOLLOW_H
#define SIDELIGHT_POD_FOLLOW_H

#include "pod/cgroup.h"

struct follow;

enum follow_change {
	FOLLOW_SAME,
	FOLLOW_GONE,
	FOLLOW_NEW, /* there is a cgroup with another id, or the same one has processes again */
};

/* Begins PRESENT with a cgroup, which is borrowed for the call. NULL with errno set. */
struct follow *follow_new(const struct cgroup *cg);
/* Accepts NULL. */
void follow_free(struct follow *f);

/* Readable: call follow_read(). */
int follow_fd(const struct follow *f);

/*
 * What has changed since the last call. With FOLLOW_NEW *ret_cgroup is open,
 * and the caller's. Returns negative errno if there is a cgroup that could not
 * be opened; it is tried again at the next change.
 */
int follow_read(struct follow *f, struct cgroup *ret_cgroup);

#endif
