/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded requests for readers of the control socket: what happened, and what happens.
 *
 *     recorder --notify--> pump: a line for each match ----> feed.buf ----> client
 *                          of each reader, as far as there is room
 *
 * Readers share the ring of the recorder. While a reader does not take its lines, it gets no more;
 * the recorder overwrites the records that it has not read. Overwritten records are counted,
 * whether they match or not, and reported to the reader as {"lost":N} once it reads again. Capture
 * never waits for a reader.
 */
#ifndef SIDELIGHT_EXPORT_REQUEST_STREAM_H
#define SIDELIGHT_EXPORT_REQUEST_STREAM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "export/httpd.h"
#include "export/request_filter.h"
#include "metrics/control_stats.h"
#include "metrics/recorder.h"
#include "txn/engine.h"

#define REQUEST_READERS_MAX 8
#define REQUEST_TYPE	    "application/x-ndjson"

struct request_reader;

struct request_streams {
	uv_timer_t wake; /* runs while lines wait for a reader that rests */
	uv_timer_t beat; /* runs while there are readers: finds those that are gone */
	struct recorder *recorder; /* borrowed, as the next */
	struct engine *engine; /* which captures header fields while a reader wants some */
	/* The name of a container. */
	const char *(*container)(void *ctx, uint64_t id);
	/* As in struct control_options, likewise the next. */
	uint32_t (*round_trip_us)(void *ctx, uint64_t conn_id);
	void (*list)(void *ctx);
	void *ctx;
	struct request_reader *readers;
	struct control_stats *stats; /* borrowed, as is the next */
	struct httpd *httpd; /* whose connections they are */
	int open_timers;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

/* What one reader asks for. */
struct request_question {
	struct request_filter filter; /* its strings live as long as the answer */
	bool is_following; /* goes on with what comes, instead of ending */
	bool has_past; /* begins with what is recorded */
	bool has_query; /* targets with their query strings */
	const char *headers; /* names: see struct header_wish; NULL: none; lives likewise */
};

/* All that is borrowed, container and ctx are set. */
void request_streams_start(struct request_streams *s, uv_loop_t *loop);

/* The caller makes sure that there are fewer than REQUEST_READERS_MAX. */
enum MHD_Result request_streams_answer(struct request_streams *s, struct MHD_Connection *c,
				       const struct request_question *question);

/* Every reader gets what there is, and then the end of its answer. */
void request_streams_end(struct request_streams *s);
/* All answers are over. Calls stopped() when s may go. */
void request_streams_stop(struct request_streams *s, void (*stopped)(void *ctx), void *ctx);

/* Bytes that readers have not taken. */
uint64_t request_streams_waiting(const struct request_streams *s);

#endif
