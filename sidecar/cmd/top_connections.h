/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /connections (export/connection_line.h) as rows of a grid, and as a table for people. */
#ifndef SIDELIGHT_CMD_TOP_CONNECTIONS_H
#define SIDELIGHT_CMD_TOP_CONNECTIONS_H

#include <cjson/cJSON.h>

#include "cmd/grid.h"
#include "cmd/top_table.h"

/* An empty grid. */
void top_connections_init(struct grid *g, enum top_sort sort);
/* The connections of a line in place of those that are there; `whole` is the peer. */
void top_connections_fill(struct grid *g, const cJSON *line);

/* The whole of a line as a table. Returns 0, or -EINVAL if that is no such line. */
int top_connections_add(struct text *out, const cJSON *line, enum top_sort sort,
			size_t max_columns);

#endif
