/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says about one process: its container.
 *
 * A struct process holds the directory /proc/PID open. It stays that of this
 * process: once it has ended everything answers -ESRCH, whoever has its
 * number then. All text comes from strangers: names are checked, lengths and
 * numbers of lines are bounded, paths are walked inside the process's root.
 *
 * Functions return 0 or negative errno and never log.
 */
#ifndef SIDELIGHT_POD_PROCESS_H
#define SIDELIGHT_POD_PROCESS_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "pod/cgroup.h"

/* Names of containers are DNS labels (RFC 1123), identifiers of containers 64 hex digits. */
#define PROCESS_NAME_MAX 64
#define PROCESS_ID_MAX	 65

struct process {
	pid_t pid;
	int dir_fd; /* owned */
};

int process_open(struct process *ret_process, pid_t pid);
void process_close(struct process *p);

/* Its v2 cgroup, as our cgroup namespace names it: that of a sibling is "/../<id>". */
int process_cgroup(const struct process *p, char *ret_path, size_t size);
/* The part of the name that the kernel cuts at 15 bytes. */
int process_comm(const struct process *p, char *ret_comm, size_t size);
/* That of a process by its number, for people: "?" for each byte that is not printable, and if it
 * has ended. */
#define PROCESS_COMM_MAX 17
void process_shown_comm(pid_t pid, char ret_comm[PROCESS_COMM_MAX]);
/* The same of one that is open; "": it has ended. */
void process_shown_comm_of(const struct process *p, char ret_comm[PROCESS_COMM_MAX]);
/* When it started, in ticks since boot. */
int process_started(const struct process *p, uint64_t *ret_ticks);

/*
 * Where a process lives, from its mounts. The kubelet mounts a file into each
 * container whose origin is .../pods/<pod uid>/containers/<name>/<8 hex>; the
 * runtime mounts the container's own cgroup, usually at /sys/fs/cgroup.
 */
struct process_home {
	char pods_dir[PATH_MAX]; /* ".../pods/<pod uid>/containers", with the kubelet's file */
	char container[PROCESS_NAME_MAX]; /* "": the kubelet has not made it */
	char pod_uid[PROCESS_NAME_MAX]; /* likewise */
	int mount_id; /* of the cgroup's mount; 0: there is none that is the container's alone */
	char mount_point[PATH_MAX];
	char cgroup[PATH_MAX]; /* that is mounted there: that of the process, or one above */
};

/*
 * cgroup and own are paths as process_cgroup() gives them, own that of
 * ourselves. The file is the one mounted at /dev/termination-log, or, where the
 * container has it elsewhere, one in pods_dir, which is where our own is: a volume
 * is below another directory, whatever its path looks like. "": it is not known.
 * NULL: the process is ourselves.
 */
int process_home_read(FILE *mountinfo, const char *cgroup, const char *own, const char *pods_dir,
		      struct process_home *ret_home);
int process_home(const struct process *p, const char *cgroup, const char *own, const char *pods_dir,
		 struct process_home *ret_home);

/*
 * Opens the cgroup directory that home names; needs CAP_SYS_PTRACE. -EXDEV: it
 * is not the mount that was described. -EACCES, -EPERM: the capability is missing.
 */
int process_open_cgroup(const struct process *p, const struct process_home *home,
			struct cgroup *ret_cgroup);

/*
 * Opens the cgroup that a process outside of our cgroup namespace is in, as its
 * own mounts show it. -EXDEV: they do not.
 */
int process_open_cgroup_of(pid_t pid, struct cgroup *ret_cgroup);

/* The identifier in a cgroup path: its last 64 hex digits in a row, or else its last part. */
void process_container_id(const char *cgroup, char ret_id[PROCESS_ID_MAX]);

/* Is path that of ourselves, or below? Is it above, with us in it? */
bool process_is_own(const char *path, const char *own);
bool process_is_above(const char *path, const char *own);
/* Of the node: containers of a Pod are siblings, or with systemd and crun children of siblings, so
 * the way to them goes up once or twice. */
bool process_is_far(const char *path);

#endif
