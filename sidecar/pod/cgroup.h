/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 2 cgroups: found, joined, made, emptied and removed.
 *
 * Functions return 0 or negative errno and never log; the paths that they
 * give are those of this process's mount namespace. A cgroup that
 * cgroup_create() made holds a lock on its directory for as long as it is
 * open, so that later runs can tell a leftover from one in use.
 */
#ifndef SIDELIGHT_POD_CGROUP_H
#define SIDELIGHT_POD_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct cgroup {
	char path[PATH_MAX]; /* of its directory */
	int fd; /* the directory, owned; -1: none */
	uint64_t id; /* as the kernel's bpf_get_current_cgroup_id() has it */
	bool is_root; /* of the whole machine: it holds every process */
	bool is_ours; /* made by cgroup_create() */
};

/* Where the cgroup2 file system is mounted, and which cgroup is at its top. */
struct cgroup_mount {
	char path[PATH_MAX];
	char root[PATH_MAX];
};

/*
 * The mount that reaches furthest up among those that show own_path (as
 * cgroup_path_of() gives it). mountinfo is the text of /proc/self/mountinfo,
 * or NULL to read that. -ENODEV: cgroup2 is not mounted.
 */
int cgroup_mount_find(struct cgroup_mount *ret_mount, const char *mountinfo, const char *own_path);

/* The v2 path of a process as /proc/PID/cgroup has it; pid 0 is ourselves.
 * -ESRCH: no such process. -ENODEV: this kernel has no cgroup v2. */
int cgroup_path_of(pid_t pid, char *ret_path, size_t size);
/* Likewise from that file, opened. */
int cgroup_path_read(FILE *file, char *ret_path, size_t size);

/* Opens a directory. -ENOTDIR; -EMEDIUMTYPE: there, but not on cgroup2. */
int cgroup_open(struct cgroup *ret_cgroup, const char *path);
/* Likewise of an open directory, which is owned from now on, also on failure. */
int cgroup_open_fd(struct cgroup *ret_cgroup, int fd, const char *path);
/* Opens the cgroup that a process is in; -EXDEV: it is outside of what we see mounted, as that
 * of another container is (pod/process.h). */
int cgroup_open_pid(struct cgroup *ret_cgroup, pid_t pid);
/*
 * Makes a fresh one below our own, or below the top of the mount where that
 * is not allowed. Removes what ended runs left there. On failure ret_cgroup->path
 * tells where it was tried last.
 */
int cgroup_create(struct cgroup *ret_cgroup);
/* Lets go of it; what is ours is removed if it is empty. Accepts one that is not open. */
void cgroup_close(struct cgroup *cg);

/* Moves a process in. */
int cgroup_add(const struct cgroup *cg, pid_t pid);
/* 1: a process lives in it or below. 0: none does. */
int cgroup_is_populated(const struct cgroup *cg);
/* A descriptor that shows POLLPRI when cgroup_is_populated() may have changed;
 * cgroup_events_read() makes it quiet again and answers like the former. */
int cgroup_events_open(const struct cgroup *cg);
int cgroup_events_read(int fd);
/* Calls fn for every process in it and below that this PID namespace shows. Returns the sum of
 * its answers. */
int cgroup_each(const struct cgroup *cg, int (*fn)(void *ctx, pid_t pid), void *ctx);
/* Sends a signal to each, 0 for none. Returns how many could be reached. */
int cgroup_signal(const struct cgroup *cg, int signo);
/* Kills every process in it and below, also such that multiply meanwhile. */
int cgroup_kill(const struct cgroup *cg);

#endif
