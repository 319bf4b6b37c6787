/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight ui`: a page on 127.0.0.1 that shows what a running sidecar counts and records, for as
 * long as the command runs. It is a client of the control socket, and keeps the windows of the last
 * 15 minutes.
 */
#ifndef SIDELIGHT_CMD_UI_H
#define SIDELIGHT_CMD_UI_H

#include "cmd/options.h"

/*
 * Until --for, --idle, SIGINT, SIGTERM, SIGHUP, or the end of the sidecar. Prints a link for each
 * browser on standard output. Returns the exit status: 1 after one log line if the sidecar went
 * away, 2 likewise if there is none.
 */
int command_ui(const struct options *o);

#endif
