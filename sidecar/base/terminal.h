/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a terminal. */
#ifndef SIDELIGHT_BASE_TERMINAL_H
#define SIDELIGHT_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* How many columns it has; 0: fd is no terminal, or does not tell. */
size_t terminal_columns(int fd);

/* Whether fd is a terminal that shows colors, and the user wants them: https://no-color.org/ */
bool terminal_has_colors(int fd);

#endif
