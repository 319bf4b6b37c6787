/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose the sockets of a cgroup are that has no processes: attaching to it
 * costs nobody else anything if all of them are one target's.
 */
#ifndef SIDELIGHT_BROKER_SOCKET_OWNER_H
#define SIDELIGHT_BROKER_SOCKET_OWNER_H

#include <stdbool.h>

#include "pod/cgroup.h"
#include "pod/holders.h"

/* owner: as in holders. False as well if it cannot be found out. */
bool socket_owner_is_sole(int diag_fd, const struct holders *holders, unsigned owner,
			  const struct cgroup *cg);

#endif
