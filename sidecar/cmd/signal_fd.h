/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as a descriptor, for a loop that waits for others, too.
 */
#ifndef SIDELIGHT_CMD_SIGNAL_FD_H
#define SIDELIGHT_CMD_SIGNAL_FD_H

#include <stddef.h>

/*
 * Blocks these signals from now on, ignores SIGPIPE, and returns a descriptor of signalfd() that
 * does not block, for the caller to close; or negative errno.
 */
int signal_fd_open(const int *numbers, size_t count);

#endif
