/* SPDX-License-Identifier: Apache-2.0 */
/* `sidelight trace`: a client of the control socket of a running sidecar. */
#ifndef SIDELIGHT_CMD_TRACE_H
#define SIDELIGHT_CMD_TRACE_H

#include "cmd/options.h"

/* Returns the exit status: 1 if requests are missing, or the sidecar went away. */
int command_trace(const struct options *o);

#endif
