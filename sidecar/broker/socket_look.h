/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at the sockets of all targets: which of them have traffic that the
 * hooks do not see.
 *
 * A socket belongs to the cgroup of the process that made it, an accepted one
 * to that of its listener, and stays there when the process is moved or passes
 * it on: a target may hold sockets whose hooks are those of another cgroup.
 * Others belong to the target, and their data takes a way without hooks.
 *
 * A look compares with the one before it, so some sockets are found at the second.
 */
#ifndef SIDELIGHT_BROKER_SOCKET_LOOK_H
#define SIDELIGHT_BROKER_SOCKET_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/channel.h"
#include "broker/socket_members.h"
#include "broker/targets.h"
#include "capture/sockmap.h"
#include "pod/holders.h"
#include "pod/sock_diag.h"

/* What a look remembers of a socket for the next one. */
struct socket_memory {
	uint64_t cookie;
	uint64_t bytes;
	enum unseen reason; /* for which it was counted; UNSEEN_MAX: it was not */
	bool is_in_sockmap;
};

/* Beyond it a look is cut. */
#define SOCKET_MEMORY_MAX 16384

struct socket_memories {
	struct socket_memory *list; /* owned; sorted by cookie once the look is over */
	size_t count;
	size_t room;
};

/* Of one target: what was found, and the first that was. */
struct socket_found {
	uint32_t now[UNSEEN_MAX];
	uint32_t added[UNSEEN_MAX]; /* of these, were not unseen at the look before */
	struct sock_info first[UNSEEN_MAX]; /* a listener if there is one */
	pid_t pid[UNSEEN_MAX]; /* that has the first; 0: unknown */
};

struct socket_look {
	/* The result: */
	struct socket_memories after; /* for the next look */
	struct socket_found found[PROGRAMS_CGROUPS_MAX]; /* by position in the set of targets, */
	uint64_t numbers[PROGRAMS_CGROUPS_MAX]; /* as they were at the beginning; 0: none */
	bool has_silent; /* TCP carries nothing of some connection: it may be in a sockmap */
	bool is_cut;
	struct holders holders;
	/* While it lasts: */
	bool may_have_sockets; /* some target; else the kernel is not asked for its list */
	const struct sockmap *sockmap; /* borrowed */
	const struct socket_memories *before; /* likewise */
	struct sock_diag_list list;
	int map_fds[PROGRAMS_STORAGES];
	bool has_storage; /* the list tells whether a socket is followed */
	struct socket_members members;
};

/*
 * Begins; sockmap may be NULL, before are the memories of the last look. A look
 * is to be released, also after an error. Returns 0 or negative errno.
 */
int socket_look_begin(struct socket_look *look, int diag_fd, const struct targets *targets,
		      const struct sockmap *sockmap, const struct socket_memories *before);
/* A part of it, of some milliseconds. Returns 1 at the end, 0 before, or negative errno. */
int socket_look_step(struct socket_look *look);
/* The memories too, unless the caller has taken them and left a zeroed struct. Accepts a zeroed
 * look and one that was released. */
void socket_look_release(struct socket_look *look);

#endif
