/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of `sidelight run`, in the file system: made before the worker gives up
 * whatever it could make it with, and removed at the end by the process that made it.
 */
#ifndef SIDELIGHT_CMD_CONTROL_SOCKET_H
#define SIDELIGHT_CMD_CONTROL_SOCKET_H

#include "cmd/options.h"

/* Where it is unless --control says otherwise: in a Pod, a directory in memory of this container
 * only. */
#define CONTROL_PATH "/run/sidelight/control.sock"

struct control_socket {
	const char *path; /* borrowed; NULL: it has no name in the file system */
	int fd; /* -1: there is none */
	bool is_inherited; /* for the process that made it, and nobody else */
};

/*
 * Listens where --control says, or takes the listening descriptor N of "fd:N"; without it, at
 * CONTROL_PATH if its directory is there. Returns 0, or negative errno after one log line:
 * --control named a place that cannot be.
 */
int control_socket_open(struct control_socket *s, const struct options *o);
/* Removes it. */
void control_socket_close(struct control_socket *s);

#endif
