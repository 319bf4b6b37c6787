/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of a window of time, added up by route, peer, process or thread, as one line of JSON:
 *
 *     {"began_ns":1767225600000000000,"seconds":2.0,"requests":7,"requests_open":1,
 *      "connections_open":2,"by":"route","routes":[
 *      {"role":"server","method":"GET","route":"/a","requests":7,"rate":3.5,"errors":1,"open":1,
 *       "p50_ns":1,"p90_ns":2,"p99_ns":2,"max_ns":2,"request_bytes":0,"response_bytes":99,
 *       "stages":{"receive":{"count":7,"p50_ns":1,"p90_ns":1,"p99_ns":1,"slowest_ns":1},
 *                 "wait":{...},"program":{...},"send":{...}},"statuses":{"200":6,"503":1}}]}
 *
 * `began_ns` counts from 1970. Rates are per second. `open` counts the requests that have no
 * complete response when the window ends; a row may have nothing else. `statuses` has the names of
 * errors beside statuses, for requests without a complete response, and "other" for statuses beyond
 * SUMMARY_STATUSES. `stages` has quantiles of the requests of which a stage is known
 * (txn/stages.h), and the stages of the slowest request of the row, which add up to max_ns. By
 * peer, rows have `peer` in place of `method` and `route`: the address of a client, or address and
 * port of a server. By process they have `process`, and by thread `thread` too: null where they are
 * not known, and `is_rest` for the row of all that are beyond ROUTE_ROWS_MAX.
 *
 * With durations, rows have `durations` in place of the quantiles and of `stages`: pairs of a time
 * in nanoseconds and of how many requests took so long, give or take 6.25 %, the shortest first.
 *
 *     "durations":[[98304,6],[212992,1]]
 *
 * While a window is open, it is a sink of the engine.
 */
#ifndef SIDELIGHT_EXPORT_ROUTE_WINDOW_H
#define SIDELIGHT_EXPORT_ROUTE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "metrics/summary.h"
#include "txn/engine.h"

/* Of a window; a row takes 14 kB. */
#define ROUTE_ROWS_MAX 100

/* Zeroed, it is closed. */
struct route_window {
	struct engine *engine; /* borrowed */
	struct summary *summary; /* NULL: it is closed */
	uint64_t began_ns;
};

/* The word of a summary_by: "route", "peer", "process", "thread". */
const char *route_window_by_name(enum summary_by by);
/* Returns false if there is no such word. */
bool route_window_by(const char *word, enum summary_by *ret_by);

/* Counts from now on. Returns false if there is no memory, or the engine has too many sinks. */
bool route_window_open(struct route_window *w, struct engine *e, enum summary_by by);
void route_window_close(struct route_window *w);

/* What has been counted since it was opened. */
void route_window_add(struct text *out, struct route_window *w, enum summary_by by,
		      bool has_durations);

#endif
