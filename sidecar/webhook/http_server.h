/* SPDX-License-Identifier: Apache-2.0 */
/* What http.c (sockets, deadlines, begin and end) and http_loop.c (rooms) share. */
#ifndef SIDELIGHT_WEBHOOK_HTTP_SERVER_H
#define SIDELIGHT_WEBHOOK_HTTP_SERVER_H

#include <sys/epoll.h>

#include "webhook/http_conn.h"

#define HTTP_DEADLINE_STEP_MS 50u

struct http {
	struct http_options options;
	int epoll_fd;
	int listen_fd; /* -1: does not listen any more */
	bool is_paused; /* the listening socket is not in the epoll set */
	bool is_draining;
	uv_poll_t poll; /* epoll_fd */
	uv_timer_t timer; /* runs only while there is a connection */
	uint64_t timer_ms;
	uv_timer_t compute_timer; /* runs only while there is something in ROOM_HELLO */
	int open_handles;
	unsigned rotation;
	unsigned events_max;
	struct epoll_event *events;
	struct room rooms[HTTP_ROOM_MAX];
	struct http_conn *dead;
	uint64_t dropped[DROP_MAX];
};

/* The members of the rooms are connections. */
static inline struct http_conn *http_conn_of(struct room_member *m)
{
	return (struct http_conn *)m;
}

/* How long a connection may be in a phase. */
extern const uint64_t http_phase_max_ms[];

/* Makes the timer run at this time at the latest. */
void http_schedule(struct http *h, uint64_t at_ms);
/* Takes new connections again, after http_iterate() found no descriptor for one. */
void http_resume_listening(struct http *h);

/* One iteration of the loop: serves the events of epoll. */
void http_iterate(struct http *h);
/* Of compute_timer. */
void http_on_compute(uv_timer_t *timer);

/* Closes a connection; it is freed by http_free_dead(). The second one counts why. */
void http_drop(struct http_conn *c, bool has_reset);
void http_drop_for(struct http_conn *c, enum http_drop reason);
void http_free_dead(struct http *h);

#endif
