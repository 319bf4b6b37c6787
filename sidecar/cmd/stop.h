/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT and SIGTERM as a wish: the first one asks a command to end what it writes; the next one
 * ends the command.
 */
#ifndef SIDELIGHT_CMD_STOP_H
#define SIDELIGHT_CMD_STOP_H

#include <stdbool.h>

/* From now on. System calls that wait are interrupted. */
void stop_watch(void);
bool stop_is_wanted(void);

#endif
