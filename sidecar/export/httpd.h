/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd in a libuv loop, without a thread: the listening socket and
 * the connections. What is asked, and the answer, are the caller's.
 *
 * Clients may be hostile: connections are capped, and when the last place is taken, the connection
 * that asked nothing for the longest time is closed, so that nobody can keep others out. While
 * nobody is connected it does nothing at all.
 */
#ifndef SIDELIGHT_EXPORT_HTTPD_H
#define SIDELIGHT_EXPORT_HTTPD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/text.h"

struct httpd_options {
	const char *listen; /* HOST:PORT as base/listen.h takes it; NULL: fd */
	int fd; /* a Unix socket that listens; owned from the call on */
	bool is_for_maker; /* of fd: only the process that made it listen is answered */
	bool has_feeds; /* answers may rest: feed.h */
	unsigned connections_max;
	unsigned idle_seconds; /* after which a silent connection is closed */
	/* What the kernel may keep of a connection in each direction; 0: what it likes. */
	int socket_bytes;
	/* After so long without an acknowledgement the kernel ends a connection; 0: its own. */
	unsigned unread_seconds;
	/* Bytes that all closed connections together may leave unread; beyond, the oldest is reset.
	 * 0: any number. */
	size_t unread_max;
	bool has_head; /* HEAD is a method, too; others than these and GET are refused */
	/* A complete request without a body. */
	enum MHD_Result (*request)(void *ctx, struct MHD_Connection *c, const char *url);
	void *ctx; /* of request */
};

struct httpd;

/* Listens. NULL: *ret_error says why in a few words; valid until the next call of anything. */
struct httpd *httpd_new(uv_loop_t *loop, const struct httpd_options *options,
			const char **ret_error);

uint16_t httpd_port(const struct httpd *s);
uint64_t httpd_evicted(const struct httpd *s);
/* Connections whose client did not read everything in time, or before unread_max was reached. */
uint64_t httpd_discarded(const struct httpd *s);

/* A field of an answer; without a value it is left out. */
struct httpd_field {
	const char *name;
	const char *value;
};

/* Takes the body. What it returns is for the request callback to return. */
enum MHD_Result httpd_answer(struct MHD_Connection *c, unsigned status, struct text *body,
			     const struct httpd_field *fields, size_t field_count);

/* The same with one line of text; field may be NULL. */
enum MHD_Result httpd_answer_line(struct MHD_Connection *c, unsigned status, const char *line,
				  const struct httpd_field *field);

/* Takes the response. What it returns is for the request callback to return. */
enum MHD_Result httpd_queue(struct MHD_Connection *c, unsigned status, struct MHD_Response *r,
			    const struct httpd_field *fields, size_t field_count);

/* Lets connections that do not rest any more go on, without waiting for the loop. */
void httpd_flush(struct httpd *s);

/* The connection's socket; valid until its answer is released. */
int httpd_fd(struct MHD_Connection *c);

/* Ends a connection by its socket: the kernel discards what the client has not read. */
void httpd_reset(int fd);

/*
 * Ends all connections, after which nothing is called any more. Memory goes
 * when the loop has run. Accepts NULL.
 */
void httpd_close(struct httpd *s);

#endif
