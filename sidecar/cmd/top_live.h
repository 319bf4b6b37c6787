/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight top` on a terminal: the loop around the model (top_model.h), the screen (top_screen.h)
 * and the answers of the sidecar, windows of a second and the requests of one row.
 */
#ifndef SIDELIGHT_CMD_TOP_LIVE_H
#define SIDELIGHT_CMD_TOP_LIVE_H

#include "cmd/options.h"

/*
 * Until q, --for, SIGINT, SIGTERM, SIGHUP, or the end of the sidecar. Returns the exit status: 1
 * after one log line if the sidecar went away, 2 likewise if there is none, or no terminal.
 */
int top_live(const struct options *o);

#endif
