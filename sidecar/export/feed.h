/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response of the HTTP server that is generated while its client reads. Nothing waits for the
 * client, and the connection is suspended while there is nothing to send.
 *
 *     RESTING  there is nothing to send; feed_wake() ends this state
 *     SENDING  fill() is called whenever the client can take more than buf contains
 *     ENDED    the rest of buf is sent, and then the response is complete
 */
#ifndef SIDELIGHT_EXPORT_FEED_H
#define SIDELIGHT_EXPORT_FEED_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "export/httpd.h"

/*
 * Runs of the server (httpd_flush()) until clients that keep up have the end of their answers: one
 * run sends what a connection can take, a later one its end.
 */
#define FEED_END_RUNS 8

struct feed {
	struct MHD_Connection *connection;
	struct text buf;
	size_t sent; /* bytes of buf */
	bool is_resting;
	bool is_ended; /* set by the owner: nothing comes after buf */
	void (*fill)(struct feed *f); /* may add to buf, and may end the feed */
	void (*gone)(struct feed *f); /* the answer is over: the owner's memory may go */
};

/*
 * Answers with a feed. The caller has set connection, fill and gone. On MHD_NO, gone() was called.
 */
enum MHD_Result feed_answer(struct feed *f, const char *content_type);

/* The same with these fields, of which one is the type. */
enum MHD_Result feed_answer_fields(struct feed *f, const struct httpd_field *fields,
				   size_t field_count);

/*
 * To be called after the owner has added to buf or has set is_ended. The server goes on with the
 * feed at httpd_flush().
 */
void feed_wake(struct feed *f);

/* Bytes that the client has not taken. */
static inline size_t feed_waiting(const struct feed *f)
{
	return f->buf.len - f->sent;
}

/*
 * Adds all of text, or nothing: false if it is empty or has failed, the client has not read
 * FEED_WAITING_MAX bytes of what came before, or memory is short.
 */
#define FEED_WAITING_MAX (256u << 10)
bool feed_add_whole(struct feed *f, const struct text *text);

#endif
