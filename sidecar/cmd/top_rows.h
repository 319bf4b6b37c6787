/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control socket answers, as rows of a grid: windows of /routes (export/route_window.h),
 * and lines of /requests (export/record_line.h).
 */
#ifndef SIDELIGHT_CMD_TOP_ROWS_H
#define SIDELIGHT_CMD_TOP_ROWS_H

#include <cjson/cJSON.h>

#include "cmd/grid.h"
#include "cmd/process_names.h"
#include "cmd/top_table.h"

/* What a row is of: the words of /routes are top_rows_by(); connections are in /connections. */
/* In the order of the option's words. */
enum top_view {
	TOP_ROUTES,
	TOP_PEERS,
	TOP_PROCESSES,
	TOP_THREADS,
	TOP_CONNECTIONS,
	TOP_VIEWS,
};

const char *top_rows_by(enum top_view view);
/* A plural. */
const char *top_rows_title(enum top_view view);

/* The parameter of /requests that chooses the requests of a row by its `whole`. */
const char *top_rows_parameter(enum top_view view);

/* An empty grid of a view; sort: which column. */
void top_rows_init(struct grid *g, enum top_view view, enum top_sort sort);
/*
 * The rows of a window in place of those that are there. `whole` is what /requests takes for the
 * route, peer, process or thread, and `part` for the method; each may be empty.
 */
void top_rows_window(struct grid *g, enum top_view view, const cJSON *window,
		     struct process_names *names);

/* Requests kept in a grid; older ones go. */
#define TOP_REQUESTS_MAX 500

/* An empty grid of requests, the newest first. */
void top_rows_init_requests(struct grid *g);
/* serial: 1, 2, ... in the order of the lines. */
void top_rows_request(struct grid *g, const cJSON *request, uint64_t serial);

#endif
