/* SPDX-License-Identifier: Apache-2.0 */
/* `sidelight syscalls`: counts network system calls for a while, and prints them at its end. */
#ifndef SIDELIGHT_CMD_SYSCALLS_H
#define SIDELIGHT_CMD_SYSCALLS_H

#include "cmd/options.h"

/* Returns the exit status: that of CMD, or 0; 1 for an incomplete result; 2 after one line that
 * says why it cannot work. */
int command_syscalls(const struct options *o);

#endif
