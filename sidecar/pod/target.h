/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is watched: a container of a Pod, a program that `run` has started, or
 * a cgroup that the user has named. Capture attaches to its cgroup and puts
 * its number into every event; labels come from its name.
 *
 * Whoever finds targets (the command line here, a Pod's containers elsewhere)
 * hands out such structs.
 */
#ifndef SIDELIGHT_POD_TARGET_H
#define SIDELIGHT_POD_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "pod/cgroup.h"
#include "pod/identity.h"

/* The name is a label's value: clean, and cut. */
#define TARGET_NAME_MAX IDENTITY_VALUE_MAX

struct target {
	char name[TARGET_NAME_MAX]; /* container, program, or directory */
	uint64_t number; /* event_open.container; 0 until it is attached to (broker/targets.h) */
	struct cgroup cgroup; /* owned */
};

/*
 * Each fills *t, or logs one line that says what is wrong and what to do, and
 * returns negative errno; nothing is to be closed then.
 */

/* A cgroup of its own for a program that is to be started. */
int target_create(struct target *t, const char *program);
/* The cgroup of process pid. The root cgroup is refused: it holds the whole machine. */
int target_open_pid(struct target *t, pid_t pid);
/* A directory of the cgroup2 file system; the root too, since it was named. */
int target_open_dir(struct target *t, const char *dir);

void target_close(struct target *t);
/* The process in it with the lowest pid, which has usually started the others; 0: there is none. */
pid_t target_first_process(const struct target *t);
/* One line: which cgroup is watched, since when, and which processes are in it now. */
void target_announce(const struct target *t);

#endif
