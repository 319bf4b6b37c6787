/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of http.h: its socket, its TLS session, and the exchange that
 * goes over them. Rooms and deadlines are http.c's.
 */
#ifndef SIDELIGHT_WEBHOOK_HTTP_CONN_H
#define SIDELIGHT_WEBHOOK_HTTP_CONN_H

#include "webhook/cert.h"
#include "webhook/http_exchange.h"
#include "webhook/room.h"
#include "webhook/tls.h"

/* What the peer must do next; it decides how long it may take. */
enum http_phase {
	PHASE_HANDSHAKE, /* also: has sent nothing yet */
	PHASE_IDLE,
	PHASE_REQUEST, /* the rest of a request */
	PHASE_ANSWER, /* take the answer */
	PHASE_LINGER, /* close; what it still sends is thrown away, so that it reads the answer */
};

struct http_conn {
	struct room_member member; /* first: the members of rooms are connections */
	struct http *http; /* borrowed */
	enum http_room room;
	uint64_t key; /* of its source address */
	int fd;
	bool is_dead; /* closed and in no room; freed at the end of the iteration */
	struct http_conn *next_dead;

	gnutls_session_t tls; /* NULL: none, or not yet */
	struct cert *cert; /* that its handshake may use; with tls */
	struct http_exchange exchange;
	bool is_lingering;
	size_t discarded; /* bytes, while lingering */

	enum http_phase phase;
	uint64_t phase_ms; /* since when */
	uint32_t events; /* that epoll waits for */
};

/* Opens the session. Returns 0 or -ENOMEM. */
int http_conn_open_tls(struct http_conn *c);

/* One step of the handshake: returns 1 when it is finished, 0 to wait for epoll, or -EPROTO. */
int http_conn_handshake(struct http_conn *c);

/*
 * Reads, answers and writes, as much as one iteration allows. make_room() is called when a request
 * finds no memory, and returns true after it has freed some. Returns 0 to wait for epoll, or
 * -EPIPE when the connection has ended.
 */
int http_conn_serve(struct http_conn *c, bool may_be_large, bool (*make_room)(struct http_conn *c));

/* Which events of epoll to wait for. */
uint32_t http_conn_events(const struct http_conn *c);

/* The phase that it is in now. */
enum http_phase http_conn_phase(const struct http_conn *c);

/* Closes; with a reset, the kernel keeps nothing of it. Memory of the struct is the caller's. */
void http_conn_close(struct http_conn *c, bool has_reset);

#endif
