/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidelight export`: requests of a running sidecar, by its control socket, in a file that is valid
 * however the command ends; what happens to it otherwise is in output_file.h.
 */
#ifndef SIDELIGHT_CMD_EXPORT_H
#define SIDELIGHT_CMD_EXPORT_H

#include "cmd/options.h"

/*
 * Returns the exit status: 1 if requests are missing, the sidecar went away (the file has what it
 * told before), or the file cannot be written (then there is none).
 */
int command_export(const struct options *o);

#endif
