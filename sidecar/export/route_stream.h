/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate, errors and durations by route, of a window of time, for readers of the control socket: a
 * summary is kept only while somebody asks for it. An object of JSON for each window:
 *
 *     {"seconds":2.0,"requests":7,"requests_open":1,"connections_open":2,"routes":[
 *      {"role":"server","method":"GET","route":"/a","requests":7,"rate":3.5,"errors":1,
 *       "p50_ns":1,"p90_ns":2,"p99_ns":2,"max_ns":2,"statuses":{"200":6,"503":1}}]}
 *
 * in one line. Rates are per second. `statuses` has the names of errors beside statuses, for
 * requests without a complete response, and "other" for statuses beyond SUMMARY_STATUSES.
 */
#ifndef SIDELIGHT_EXPORT_ROUTE_STREAM_H
#define SIDELIGHT_EXPORT_ROUTE_STREAM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "metrics/control_stats.h"
#include "txn/engine.h"

/* Each has a summary: up to ROUTE_ROWS_MAX rows of 10 kB. */
#define ROUTE_READERS_MAX 2
#define ROUTE_ROWS_MAX	  100

#define ROUTE_WINDOW_DEFAULT_MS 2000
#define ROUTE_WINDOW_MIN_MS	100
#define ROUTE_WINDOW_MAX_MS	(3600 * 1000)

struct route_reader;

struct route_streams {
	uv_loop_t *loop; /* borrowed, as is the next */
	struct engine *engine;
	struct httpd *httpd; /* borrowed: whose connections they are */
	struct control_stats *stats; /* borrowed */
	/* Hands all that has happened to the engine: called before a window ends. */
	void (*catch_up)(void *ctx);
	void *ctx;
	struct route_reader *readers;
	size_t count;
};

/*
 * The caller makes sure that there are fewer than ROUTE_READERS_MAX. is_following: one window after
 * the other, until the client ends it.
 */
enum MHD_Result route_streams_answer(struct route_streams *s, struct MHD_Connection *c,
				     uint64_t window_ms, bool is_following);

/* Ends all windows now. */
void route_streams_end(struct route_streams *s);

#endif
