/* SPDX-License-Identifier: Apache-2.0 */
/* `sidelight top`: a client of the control socket of a running sidecar; once, or live. */
#ifndef SIDELIGHT_CMD_TOP_H
#define SIDELIGHT_CMD_TOP_H

#include "cmd/options.h"

/* Returns the exit status. */
int command_top(const struct options *o);

#endif
