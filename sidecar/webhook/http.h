/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server in a libuv loop, with or without TLS (tls.h).
 *
 * It answers real clients while strangers flood it. A connection rises through
 * rooms (webhook/room.h), each with a capacity of its own, by what its peer has
 * shown; so those who have shown less never displace those who have shown more:
 *
 *     SILENT      accepted, has sent nothing: no memory but the socket's
 *     HELLO       has sent something: waits until its handshake is computed
 *     HANDSHAKE   has a TLS session, whose handshake is not finished
 *     OPEN        has finished the handshake
 *     PROVEN      has been answered a request
 *
 * Without TLS, SILENT is followed by OPEN. In a full room, the source address
 * with the most connections gives one up. What is computed for newcomers in one
 * iteration of the loop is bounded, and comes after what PROVEN connections want.
 * Bounded are also the head and body of a request, the time that they take, and
 * the bytes of all requests together (budget.h).
 */
#ifndef SIDELIGHT_WEBHOOK_HTTP_H
#define SIDELIGHT_WEBHOOK_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/span.h"
#include "base/text.h"
#include "webhook/budget.h"

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
	bool has_tls; /* cert_load() and tls_start() have succeeded before */
	size_t body_max; /* bytes; 413 beyond */
	enum budget_share share; /* of the memory for its requests and answers */
	/* With the head, before the body: a status to refuse it by, or 0 to go on. */
	unsigned (*refuse)(void *ctx, const struct http_request *r);
	/*
	 * With all of it. For a refused one status is set: what refuse() returned, 413, 503,
	 * or the reason for which the head is malformed; then method and path are "".
	 */
	void (*answer)(void *ctx, const struct http_request *r, struct http_answer *a);
	void *ctx;
};

enum http_room { ROOM_SILENT, ROOM_HELLO, ROOM_HANDSHAKE, ROOM_OPEN, ROOM_PROVEN, HTTP_ROOM_MAX };

/* Why a connection was ended by us. http_drop_reasons[] has their names for the metrics. */
enum http_drop {
	DROP_SILENT, /* to make room for others, in ROOM_SILENT; the next four likewise */
	DROP_HELLO,
	DROP_HANDSHAKE,
	DROP_OPEN,
	DROP_PROVEN,
	DROP_MEMORY, /* its request held most of the share */
	DROP_TLS, /* the handshake failed */
	DROP_NO_HANDSHAKE, /* not finished in time */
	DROP_NO_REQUEST, /* not finished in time */
	DROP_NOT_READING, /* does not take its answer in time */
	DROP_IDLE, /* asks nothing any more */
	DROP_DESCRIPTORS, /* there is no descriptor, or memory, for another one */
	DROP_MAX,
};

extern const char *const http_drop_reasons[DROP_MAX];

struct http;

/* NULL with a few words in *ret_error. */
struct http *http_new(uv_loop_t *loop, const struct http_options *options, const char **ret_error);

uint16_t http_port(const struct http *h);
unsigned http_connections(const struct http *h);
uint64_t http_dropped(const struct http *h, enum http_drop reason);

/* From now on every answer is the last on its connection. */
void http_drain(struct http *h);
/* Takes no new connections. */
void http_stop_listening(struct http *h);
/* Those whose head has arrived, and whose answer is not sent. */
unsigned http_requests(const struct http *h);
/* Ends all connections; freed when the loop has run its close callbacks. NULL is allowed. */
void http_close(struct http *h);

#endif
