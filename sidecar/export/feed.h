/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of the HTTP server that is made piece by piece, as long as its client reads: nothing
 * waits for the client, and while there is nothing to send the connection rests.
 *
 *     RESTING  nothing is there: feed_wake() when there is
 *     SENDING  fill() is called whenever the client can take more than what is in buf
 *     ENDED    what is in buf goes out, and then the answer is complete
 */
#ifndef SIDELIGHT_EXPORT_FEED_H
#define SIDELIGHT_EXPORT_FEED_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct feed {
	struct MHD_Connection *connection;
	struct text buf;
	size_t sent; /* bytes of buf */
	bool is_resting;
	bool is_ended; /* set by the owner: nothing comes after buf */
	void (*fill)(struct feed *f); /* may add to buf, and may end the feed */
	void (*gone)(struct feed *f); /* the answer is over: the owner's memory may go */
};

/* Answers with a feed whose connection, fill and gone are set. On MHD_NO, gone() was called. */
enum MHD_Result feed_answer(struct feed *f, const char *content_type);

/* There is something in buf, or it has ended. The server goes on with it at httpd_flush(). */
void feed_wake(struct feed *f);

/* Bytes that the client has not taken. */
static inline size_t feed_waiting(const struct feed *f)
{
	return f->buf.len - f->sent;
}

#endif
