/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of `sidelight top` for a screen of any size:
 *
 *      sidelight top   routes   6100.6/s  1 error  3 open  8 connections
 *
 *      METHOD  ROUTE              RATE/S*  ERRORS  OPEN      P99
 *    > GET     /users/{id}         6097.6       0     2  1.21 ms
 *      POST    /orders                3.0       1     1  48.1 ms
 *
 *      q quit  h help  / filter  < > sort  Enter requests  v view  space pause
 */
#ifndef SIDELIGHT_CMD_TOP_PAGE_H
#define SIDELIGHT_CMD_TOP_PAGE_H

#include <stddef.h>

#include "cmd/top_model.h"

enum top_style { TOP_PLAIN, TOP_BAR, TOP_TITLES, TOP_BAD, TOP_SELECTED };

/* Lines of a screen that rows have. */
size_t top_page_rows(size_t height);

/*
 * Calls `line` for each of `height` lines, from the first to the last. Text is printable ASCII of
 * at most `width` bytes, and borrowed during the call.
 */
void top_page(struct top_model *m, size_t width, size_t height,
	      void (*line)(void *ctx, size_t y, enum top_style style, struct span text), void *ctx);

#endif
