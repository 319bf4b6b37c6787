/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server in a libuv loop, with or without TLS (cert.h).
 *
 * Bounded: connections, the body of a request, and all bodies that are on
 * their way together. At the limit of connections the one that was silent for
 * longest makes room.
 */
#ifndef SIDELIGHT_WEBHOOK_HTTP_H
#define SIDELIGHT_WEBHOOK_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/span.h"
#include "base/text.h"

struct http_request {
	const char *method;
	const char *path;
	const char *content_type; /* "": not said */
	struct span body;
};

struct http_answer {
	unsigned status;
	const char *type; /* of the body; static */
	const char *allow; /* value of the field Allow, or NULL */
	struct text body; /* given: to be filled */
};

struct http_options {
	const char *listen; /* HOST:PORT as base/listen.h takes it */
	bool has_tls; /* cert_load() has succeeded before */
	size_t body_max; /* bytes; 413 beyond */
	/* With the head, before the body: a status to refuse it by, or 0 to go on. */
	unsigned (*refuse)(void *ctx, const struct http_request *r);
	/* With all of it; for a refused one status is set (also 413, 503). */
	void (*answer)(void *ctx, const struct http_request *r, struct http_answer *a);
	void *ctx;
};

struct http;

/* NULL with a few words in *ret_error. */
struct http *http_new(uv_loop_t *loop, const struct http_options *options, const char **ret_error);

uint16_t http_port(const struct http *h);
unsigned http_connections(const struct http *h);
uint64_t http_evicted(const struct http *h);

/* From now on every answer is the last on its connection. */
void http_drain(struct http *h);
/* Takes no new connections. */
void http_stop_listening(struct http *h);
/* Those that are half here. */
unsigned http_requests(const struct http *h);
/* Ends all connections; freed when the loop has run its close callbacks. NULL is allowed. */
void http_close(struct http *h);

#endif
