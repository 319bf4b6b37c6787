/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a terminal. */
#ifndef SIDELIGHT_BASE_TERMINAL_H
#define SIDELIGHT_BASE_TERMINAL_H

#include <stddef.h>

/* How many columns it has; 0: fd is no terminal, or does not tell. */
size_t terminal_columns(int fd);

#endif
