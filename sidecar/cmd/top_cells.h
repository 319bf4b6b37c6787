/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the sidecar's answers, and the cells of a grid that show them. */
#ifndef SIDELIGHT_CMD_TOP_CELLS_H
#define SIDELIGHT_CMD_TOP_CELLS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "cmd/grid.h"

/* "": null, or not there. */
const char *top_cell_string(const cJSON *o, const char *name);
/* -1: null, or not there. */
double top_cell_number(const cJSON *o, const char *name);
bool top_cell_is_client(const cJSON *o);

/* Text that is cut if it is too long, and what the row is sorted by. */
void top_cell_put(struct grid_row *row, int column, double key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The next two leave the cell empty if the value is negative. */
void top_cell_put_time(struct grid_row *row, int column, double ns);
void top_cell_put_bytes(struct grid_row *row, int column, double bytes);

#endif
