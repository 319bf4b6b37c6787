/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sockets the processes of a cgroup have open, from /proc/PID/fd; needs
 * CAP_SYS_PTRACE for processes of others, and CAP_DAC_READ_SEARCH for those of
 * other users.
 *
 *     holders_add() for each cgroup -> holders_sort() -> holders_find()
 *
 * Bounded: of a process with very many descriptors only the lowest are looked
 * at, which hold the listeners; is_cut then.
 */
#ifndef SIDELIGHT_POD_HOLDERS_H
#define SIDELIGHT_POD_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pod/cgroup.h"

/* Descriptors of one process, and sockets of all. */
#define HOLDERS_FDS_MAX	    4096
#define HOLDERS_SOCKETS_MAX 65536

struct holder {
	uint32_t inode; /* of a socket of any kind */
	unsigned owner; /* as given to holders_add() */
	pid_t pid; /* one that has it */
};

struct holders {
	struct holder *list; /* owned */
	size_t count;
	size_t room;
	bool is_cut;
	bool is_denied; /* some processes may not be looked at */
};

/* Adds those of the cgroup and all below. An all zero struct is empty. */
void holders_add(struct holders *h, const struct cgroup *cg, unsigned owner);
void holders_sort(struct holders *h);
/* NULL: none of the processes has it open. */
const struct holder *holders_find(const struct holders *h, uint32_t inode);
void holders_release(struct holders *h);

#endif
