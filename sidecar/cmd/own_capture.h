/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For trace, export and top where no sidecar runs: `sidelight run` as a child. It watches what
 * --pid or
 * --cgroup say, or else the containers of this Pod, exports nothing, and answers nobody but this
 * process. Options of its own come from SIDELIGHT_* variables.
 *
 * This process keeps no capability, but for CAP_DAC_OVERRIDE with --output: it reads what strangers
 * have sent. SIGINT, SIGTERM and SIGHUP
 * end the child first, and so the answer; the child also ends when this process does.
 */
#ifndef SIDELIGHT_CMD_OWN_CAPTURE_H
#define SIDELIGHT_CMD_OWN_CAPTURE_H

#include <sys/types.h>

#include "base/unix_socket.h"
#include "cmd/options.h"

struct own_capture {
	pid_t pid; /* 0: there is none */
	char socket[UNIX_SOCKET_ABSTRACT_SIZE]; /* for struct control_question */
};

/*
 * Starts one if the options name something to watch, or if this is a Pod and no sidecar has a
 * control socket at the usual place; else pid is 0. command: what log lines begin with. One at a
 * time. Returns 0, or 2 after one log line.
 */
int own_capture_start(struct own_capture *c, const struct options *o, const char *command);

/* Ends it, if there is one. Returns its status if it has failed, which it has logged, else status.
 */
int own_capture_end(struct own_capture *c, int status);

#endif
