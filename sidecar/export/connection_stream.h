/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open connections for readers of the control socket: one line of JSON, or one each second. The
 * broker lists them only while somebody reads; readers that come at once share a list.
 */
#ifndef SIDELIGHT_EXPORT_CONNECTION_STREAM_H
#define SIDELIGHT_EXPORT_CONNECTION_STREAM_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "metrics/control_stats.h"
#include "metrics/tcp_sockets.h"
#include "txn/engine.h"

#define CONNECTION_READERS_MAX 8
/* Connections in one line; those beyond are counted in it. */
#define CONNECTION_ROWS_MAX 2048

struct httpd;
struct connection_streams;

/* Everything is borrowed until connection_streams_free(). */
struct connection_stream_options {
	uv_loop_t *loop;
	struct engine *engine;
	struct tcp_sockets *sockets;
	struct control_stats *stats;
	/* Has a list made; connection_streams_listed() follows. */
	void (*list)(void *ctx);
	const char *(*container)(void *ctx, uint64_t id); /* its name */
	void *ctx;
};

/* NULL: no memory. */
struct connection_streams *connection_streams_new(const struct connection_stream_options *o);
/* Ends all answers; httpd: whose connections they are. */
void connection_streams_end(struct connection_streams *s, struct httpd *httpd);
/* All answers are over. Memory goes when the loop has run. Accepts NULL. */
void connection_streams_free(struct connection_streams *s);

bool connection_streams_have_room(const struct connection_streams *s);
/* The caller makes sure that there is room. */
enum MHD_Result connection_streams_answer(struct connection_streams *s, struct httpd *httpd,
					  struct MHD_Connection *c, bool is_following);

/* A list has come to its end. Nothing is sent during the call. */
void connection_streams_listed(struct connection_streams *s);

#endif
