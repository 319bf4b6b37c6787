/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running sidecar tells those who may read its control socket, by HTTP:
 *
 *     GET /requests   recorded requests, a line of NDJSON each (record_line.h)
 *         last, status, min-duration, route, method, peer, process, thread, container,
 *         trace-id, count
 *                       see request_filter.h
 *         past=1|0      begin with what is recorded [1]
 *         follow=1|0    go on with what comes, until the client ends it [0]
 *         query=1|0     targets with their query strings [0]
 *         headers=all|LIST   lines have these header fields (header_text.h), which are captured as
 *                       long as a client with follow=1 is connected
 *         try-headers=LIST   the same; no fields, instead of an error, where they are forbidden
 *         header=LIST   with one of these header fields, NAME=VALUE or NAME; likewise
 *     GET /routes     rate, errors and durations of a window of time (route_window.h)
 *         for=2s        length of the window, from 100ms to 1h [2s]
 *         by=route|peer|process|thread   what a row is of [route]
 *         follow=1|0    one window after the other, until the client ends it [0]
 *         durations=1|0 histograms in place of quantiles and stages [0]
 *     GET /connections  open connections and TCP's numbers of each (connection_line.h)
 *         follow=1|0    again each second, until the client ends it [0]
 *     GET /syscalls   system calls by container, while they are counted: one object of JSON
 *     GET /settings   what runs, and what it keeps: one object of JSON
 *
 * An answer of NDJSON may have lines {"lost":N}: so many requests were gone when the client could
 * take them; and empty lines, which mean nothing. Errors are one line of text: 400 if an argument
 * is wrong, 404 for another path or if the recorder is off, 405 for another method than GET, 503 if
 * there are too many readers.
 *
 * It lives in the caller's loop, and does nothing at all while nobody is connected. Nothing here
 * waits for a client.
 */
#ifndef SIDELIGHT_EXPORT_CONTROL_H
#define SIDELIGHT_EXPORT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/text.h"
#include "metrics/control_stats.h"
#include "metrics/recorder.h"
#include "metrics/tcp_sockets.h"
#include "txn/engine.h"

struct control;

/* Everything but fd is borrowed until control_close(). */
struct control_options {
	int fd; /* a listening Unix socket; owned from the call of control_new() on */
	bool is_for_maker; /* only the process that made it listen is answered */
	struct recorder *recorder; /* NULL: off */
	bool forbids_headers; /* a reader that asks for header fields gets an error */
	struct engine *engine;
	struct tcp_sockets *sockets;
	/* Has open connections listed; control_listed() follows. */
	void (*list)(void *ctx);
	/* The smoothed round-trip time of a connection; 0: not known. */
	uint32_t (*round_trip_us)(void *ctx, uint64_t conn_id);
	void (*catch_up)(void *ctx); /* hands all that has happened to the engine */
	const char *(*container)(void *ctx, uint64_t id); /* its name */
	/* Appends members of the object of /settings: `,"name":value` each. */
	void (*settings)(void *ctx, struct text *out);
	/* Appends the object of /syscalls. */
	void (*syscalls)(void *ctx, struct text *out);
	void *ctx;
};

/* NULL: *ret_error says why in a few words; valid until the next call of anything. */
struct control *control_new(uv_loop_t *loop, const struct control_options *options,
			    const char **ret_error);

/* Ends all answers, and all connections. Memory goes when the loop has run. Accepts NULL. */
void control_close(struct control *s);

/* A list of open connections has come to its end. */
void control_listed(struct control *s);

/* Valid until the next call. */
const struct control_stats *control_stats(struct control *s);

#endif
