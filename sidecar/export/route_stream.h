/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows of time (route_window.h) for readers of the control socket. Requests are counted only
 * while somebody asks for a window.
 *
 *     one window           counts from the request on; its reader's own
 *     one after the other  shared by all readers that ask for the same length and rows: however
 *                          many they are, requests are counted once. A new reader gets the window
 *                          at hand first, which may have begun before it came.
 */
#ifndef SIDELIGHT_EXPORT_ROUTE_STREAM_H
#define SIDELIGHT_EXPORT_ROUTE_STREAM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "export/route_window.h"
#include "metrics/control_stats.h"
#include "txn/engine.h"

/* Windows that are open at once: those of one reader each, and those that are shared. */
#define ROUTE_WINDOWS_MAX 2
#define ROUTE_SHARED_MAX  4

#define ROUTE_WINDOW_DEFAULT_MS 2000
#define ROUTE_WINDOW_MIN_MS	100
#define ROUTE_WINDOW_MAX_MS	(3600 * 1000)

struct route_stream;

struct route_streams {
	uv_loop_t *loop; /* borrowed, as is the next */
	struct engine *engine;
	struct httpd *httpd; /* borrowed: whose connections they are */
	struct control_stats *stats; /* borrowed */
	/* Hands all that has happened to the engine: called before a window ends. */
	void (*catch_up)(void *ctx);
	void *ctx;
	struct route_stream *first;
	size_t count; /* by whether they are shared: see route_streams_count() */
	size_t shared_count;
};

struct route_question {
	uint64_t window_ms;
	enum summary_by by;
	bool is_following; /* one window after the other, until the client ends it */
	bool has_durations; /* histograms in place of quantiles: route_window.h */
};

/* Whether there is room for a reader with this question. */
bool route_streams_have_room(const struct route_streams *s, const struct route_question *q);

/* The caller makes sure that there is room. */
enum MHD_Result route_streams_answer(struct route_streams *s, struct MHD_Connection *c,
				     const struct route_question *q);

/* Windows that are open. */
size_t route_streams_count(const struct route_streams *s);

/* Ends all windows now. */
void route_streams_end(struct route_streams *s);

#endif
