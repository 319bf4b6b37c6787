/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose hooks see a socket: the cgroups of all targets, and the cgroups below them, by id.
 */
#ifndef SIDELIGHT_BROKER_SOCKET_MEMBERS_H
#define SIDELIGHT_BROKER_SOCKET_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/targets.h"

struct socket_member {
	uint64_t cgroup_id;
	unsigned slot; /* position of the target */
};

struct socket_members {
	struct socket_member *list; /* owned; sorted by cgroup_id */
	size_t count;
	unsigned slot; /* whose cgroups are being added */
	int root_slot; /* a target that all cgroups belong to; -1: none */
	bool is_cut; /* some could not be added */
};

/* Of all targets. A part of a target (targets.h) belongs to that target. */
void socket_members_init(struct socket_members *m, const struct targets *targets);
/* Accepts a zeroed struct, and one that was released. */
void socket_members_release(struct socket_members *m);

/* The position of the target whose hooks see this cgroup's sockets; -1: there is none. */
int socket_members_slot(const struct socket_members *m, uint64_t cgroup_id);

#endif
