/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/http.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listen.h"
#include "webhook/http_server.h"

const char *const http_drop_reasons[DROP_MAX] = {
	"silent", "hello",	  "handshake",	"open",	       "proven", "memory",
	"tls",	  "no_handshake", "no_request", "not_reading", "idle",	 "descriptors",
};

/*
 * Three API servers keep 25 idle connections each. A silent connection costs 4 KB of kernel
 * memory, and 1,024 of them are 25 ms of a flood of 40,000 a second: as long as a client may
 * take from the handshake of TCP to its first byte. A session of TLS costs 20 KB.
 */
static const unsigned tls_capacities[HTTP_ROOM_MAX] = {1024, 256, 256, 128, 256};
static const unsigned plain_capacities[HTTP_ROOM_MAX] = {64, 1, 1, 64, 32};
#define SILENT_MIN	 32u
#define DESCRIPTORS_KEPT 64u /* for all else */
#define BACKLOG		 4096
/* The window of who has proven nothing; the kernel doubles it. */
#define NEWCOMER_WINDOW (8 << 10)

/*
 * API servers wait up to 30 s for a review, and drop idle connections after 90 s: they must be
 * the first, because a review that arrives at a closing connection is lost.
 */
const uint64_t http_phase_max_ms[] = {
	[PHASE_HANDSHAKE] = 5000, [PHASE_IDLE] = 130000, [PHASE_REQUEST] = 30000,
	[PHASE_ANSWER] = 10000,	  [PHASE_LINGER] = 2000,
};

void http_resume_listening(struct http *h)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	if (h->is_paused && h->listen_fd >= 0)
		h->is_paused = epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->listen_fd, &e) != 0;
}

void http_on_compute(uv_timer_t *timer)
{
	http_iterate(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	http_iterate(poll->data);
}

/* --- deadlines ------------------------------------------------------------------ */

static enum http_drop reason_of(const struct http_conn *c)
{
	switch (c->phase) {
	case PHASE_HANDSHAKE:
		return DROP_NO_HANDSHAKE;
	case PHASE_REQUEST:
		return DROP_NO_REQUEST;
	case PHASE_ANSWER:
		return DROP_NOT_READING;
	case PHASE_IDLE:
	case PHASE_LINGER:
		break;
	}
	return DROP_IDLE;
}

/* Drops what is late in one room; returns when the next one will be. */
static uint64_t expire(struct room *r, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;

	for (unsigned i = 0; i < r->used; i++) {
		struct room_member *m = r->sources[i].count ? r->sources[i].oldest : NULL;

		while (m) {
			struct http_conn *c = http_conn_of(m);
			uint64_t end_ms = c->phase_ms + http_phase_max_ms[c->phase];

			m = m->newer;
			if (end_ms > now_ms)
				next_ms = end_ms < next_ms ? end_ms : next_ms;
			else if (c->phase == PHASE_LINGER)
				http_drop(c, true);
			else
				http_drop_for(c, reason_of(c));
		}
	}
	return next_ms;
}

static void on_timer(uv_timer_t *timer)
{
	struct http *h = timer->data;
	uint64_t next_ms = UINT64_MAX;

	http_resume_listening(h);
	for (int i = 0; i < HTTP_ROOM_MAX; i++) {
		uint64_t room_ms = expire(&h->rooms[i], uv_now(timer->loop));

		next_ms = room_ms < next_ms ? room_ms : next_ms;
	}
	http_free_dead(h);
	if (next_ms < UINT64_MAX)
		http_schedule(h, next_ms);
}

/* A timer that runs is only made earlier, and a bit late: so that a flood does not restart it. */
void http_schedule(struct http *h, uint64_t at_ms)
{
	uint64_t now_ms = uv_now(h->timer.loop);

	at_ms = at_ms / HTTP_DEADLINE_STEP_MS * HTTP_DEADLINE_STEP_MS + HTTP_DEADLINE_STEP_MS;
	if (uv_is_active((uv_handle_t *)&h->timer) && h->timer_ms <= at_ms)
		return;
	h->timer_ms = at_ms;
	(void)uv_timer_start(&h->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

/* --- begin and end -------------------------------------------------------------- */

/* As many silent connections as there are descriptors for. */
static unsigned silent_capacity(const unsigned *capacities)
{
	struct rlimit limit;
	rlim_t needed = DESCRIPTORS_KEPT;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return capacities[ROOM_SILENT];
	for (int i = ROOM_HELLO; i < HTTP_ROOM_MAX; i++)
		needed += capacities[i];
	if (limit.rlim_cur < needed + SILENT_MIN)
		return SILENT_MIN;
	return limit.rlim_cur - needed < capacities[ROOM_SILENT]
		       ? (unsigned)(limit.rlim_cur - needed)
		       : capacities[ROOM_SILENT];
}

static void release(struct http *h)
{
	for (int i = 0; i < HTTP_ROOM_MAX; i++)
		room_release(&h->rooms[i]);
	free(h->events);
	if (h->listen_fd >= 0)
		(void)close(h->listen_fd); /* nothing was written through it */
	if (h->epoll_fd >= 0)
		(void)close(h->epoll_fd); /* likewise */
	free(h);
}

static int make_rooms(struct http *h)
{
	const unsigned *capacities = h->options.has_tls ? tls_capacities : plain_capacities;

	for (int i = 0; i < HTTP_ROOM_MAX; i++) {
		unsigned n = i == ROOM_SILENT ? silent_capacity(capacities) : capacities[i];

		if (room_init(&h->rooms[i], n))
			return -ENOMEM;
		h->events_max += n;
	}
	h->events_max++; /* the listening socket */
	h->events = calloc(h->events_max, sizeof(*h->events));
	return h->events ? 0 : -ENOMEM;
}

/* A listening socket hands its buffer sizes down. */
static int open_sockets(struct http *h, const char **ret_error)
{
	const int window = NEWCOMER_WINDOW;

	h->listen_fd = listen_open(h->options.listen, ret_error);
	if (h->listen_fd < 0)
		return -EADDRNOTAVAIL;
	*ret_error = "no descriptor or memory for it";
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	h->is_paused = true;
	if (h->epoll_fd < 0 || listen(h->listen_fd, BACKLOG) ||
	    (h->options.has_tls &&
	     (setsockopt(h->listen_fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window)) ||
	      setsockopt(h->listen_fd, SOL_SOCKET, SO_SNDBUF, &window, sizeof(window)))))
		return -errno;
	http_resume_listening(h);
	return h->is_paused ? -ENOMEM : 0;
}

struct http *http_new(uv_loop_t *loop, const struct http_options *options, const char **ret_error)
{
	struct http *h = calloc(1, sizeof(*h));

	*ret_error = "no memory";
	if (!h)
		return NULL;
	h->options = *options;
	h->listen_fd = h->epoll_fd = -1;
	if (make_rooms(h) || open_sockets(h, ret_error))
		goto fail;
	*ret_error = "its descriptor cannot be polled";
	if (uv_poll_init(loop, &h->poll, h->epoll_fd) < 0)
		goto fail;
	(void)uv_timer_init(loop, &h->timer); /* cannot fail */
	(void)uv_timer_init(loop, &h->compute_timer); /* likewise */
	h->open_handles = 3;
	h->poll.data = h->timer.data = h->compute_timer.data = h;
	(void)uv_poll_start(&h->poll, UV_READABLE, on_readable); /* is not closing */
	return h;
fail:
	release(h);
	return NULL;
}

uint16_t http_port(const struct http *h)
{
	return listen_port(h->listen_fd);
}

unsigned http_connections(const struct http *h)
{
	unsigned n = 0;

	for (int i = 0; i < HTTP_ROOM_MAX; i++)
		n += h->rooms[i].count;
	return n;
}

uint64_t http_dropped(const struct http *h, enum http_drop reason)
{
	return h->dropped[reason];
}

void http_drain(struct http *h)
{
	h->is_draining = true;
}

void http_stop_listening(struct http *h)
{
	if (h->listen_fd >= 0)
		(void)close(h->listen_fd); /* nothing was written through it */
	h->listen_fd = -1;
}

unsigned http_requests(const struct http *h)
{
	unsigned n = 0;

	for (int i = ROOM_OPEN; i < HTTP_ROOM_MAX; i++)
		for (unsigned j = 0; j < h->rooms[i].used; j++)
			for (struct room_member *m = h->rooms[i].sources[j].count
							     ? h->rooms[i].sources[j].oldest
							     : NULL;
			     m; m = m->newer)
				n += http_exchange_is_open(&http_conn_of(m)->exchange);
	return n;
}

static void on_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;

	if (--h->open_handles == 0)
		release(h);
}

void http_close(struct http *h)
{
	struct room_member *m;

	if (!h)
		return;
	for (int i = 0; i < HTTP_ROOM_MAX; i++)
		while ((m = room_next(&h->rooms[i])))
			http_drop(http_conn_of(m), false);
	http_free_dead(h);
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	uv_close((uv_handle_t *)&h->compute_timer, on_closed);
}
