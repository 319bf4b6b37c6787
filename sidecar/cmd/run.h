/* SPDX-License-Identifier: Apache-2.0 */
/* `sidelight run`: the sidecar. */
#ifndef SIDELIGHT_CMD_RUN_H
#define SIDELIGHT_CMD_RUN_H

#include "cmd/options.h"

/* Until a signal, the end of --for, or the end of CMD; returns the exit status. */
int command_run(const struct options *o);

#endif
