/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal of `sidelight top`, by ncurses: from top_screen_open() to top_screen_close() the
 * screen is ours, and then it is what it was. The caller blocks the signals that would end the
 * process in between.
 */
#ifndef SIDELIGHT_CMD_TOP_SCREEN_H
#define SIDELIGHT_CMD_TOP_SCREEN_H

#include "cmd/top_model.h"

/* Returns 0, or -ENOTTY if standard input and output are no terminal, or -ENOTSUP if the terminal
 * is none that ncurses can draw on. */
int top_screen_open(void);
/* A second time: no-op. */
void top_screen_close(void);

/* A character, or an enum top_key; -1: none is waiting. */
int top_screen_key(void);

void top_screen_draw(struct top_model *m);
/* Lines that rows have now. */
size_t top_screen_rows(void);

/* The terminal has another size. */
void top_screen_resize(void);
/* Stops the process, with the terminal as it was before; draws everything when it goes on. */
void top_screen_suspend(void);
/* Somebody else may have written to the terminal. */
void top_screen_refresh(void);

#endif
