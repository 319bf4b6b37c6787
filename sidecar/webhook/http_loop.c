/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "webhook/http_server.h"

#define ACCEPTS_PER_ITERATION 256
#define COMPUTE_NS	      2000000u /* for handshakes, in one iteration */
#define NEWCOMERS_NS	      3000000u /* for what others have sent who are not proven */
/*
 * A client has at least so long for its part of the handshake, however many others want one: a
 * flood of handshakes that nobody goes on with is held to the room's capacity in this time.
 */
#define HANDSHAKE_MIN_MS 50
/* Handshakes of one source that was answered before, which go before all others. */
#define KNOWN_HANDSHAKES_MAX 8
/* A body that has not come in this time gives way to one that is needed now. */
#define BODY_SLOW_MS 500

enum { STATUS_UNAVAILABLE = 503 };

/* --- rooms ---------------------------------------------------------------------- */

void http_drop(struct http_conn *c, bool has_reset)
{
	struct http *h = c->http;

	if (c->is_dead)
		return;
	room_leave(&h->rooms[c->room], &c->member);
	http_conn_close(c, has_reset);
	c->is_dead = true;
	c->next_dead = h->dead;
	h->dead = c;
}

void http_drop_for(struct http_conn *c, enum http_drop reason)
{
	if (c->is_dead)
		return;
	c->http->dropped[reason]++;
	http_drop(c, true);
}

/* Connections are freed here only: the events of an iteration may name connections that were closed
 * in it. */
void http_free_dead(struct http *h)
{
	while (h->dead) {
		struct http_conn *c = h->dead;

		h->dead = c->next_dead;
		free(c);
	}
}

/* The one to give up: the oldest without a request on its way, else the oldest. */
static struct http_conn *victim_of(const struct room_source *s)
{
	for (struct room_member *m = s->oldest; m; m = m->newer)
		if (!http_exchange_is_open(&http_conn_of(m)->exchange))
			return http_conn_of(m);
	return http_conn_of(s->oldest);
}

static void enter(struct http_conn *c, enum http_room room)
{
	struct room *r = &c->http->rooms[room];

	if (room_is_full(r))
		http_drop_for(victim_of(room_largest(r)), (enum http_drop)room);
	c->room = room;
	room_enter(r, &c->member, c->key);
}

static void move(struct http_conn *c, enum http_room room)
{
	room_leave(&c->http->rooms[c->room], &c->member);
	enter(c, room);
}

static void watch(struct http_conn *c)
{
	struct epoll_event e = {.events = http_conn_events(c), .data.ptr = c};

	if (e.events == c->events)
		return;
	c->events = e.events;
	(void)epoll_ctl(c->http->epoll_fd, EPOLL_CTL_MOD, c->fd, &e); /* it is in the set */
}

/* After whatever has happened to it: how long it may take for what it must do next. */
static void set_deadline(struct http_conn *c, bool has_progressed)
{
	enum http_phase phase = http_conn_phase(c);

	if (c->is_dead)
		return;
	if (phase != c->phase || has_progressed) {
		c->phase = phase;
		c->phase_ms = uv_now(c->http->timer.loop);
		http_schedule(c->http, c->phase_ms + http_phase_max_ms[phase]);
	}
	watch(c);
}

/* --- memory --------------------------------------------------------------------- */

static void serve(struct http_conn *c, bool may_be_large);

/* Of the other requests, those that began before a time. */
static struct http_conn *heaviest(const struct room *r, const struct http_conn *c,
				  uint64_t before_ms)
{
	struct http_conn *found = NULL;

	for (unsigned i = 0; i < r->used; i++)
		for (struct room_member *m = r->sources[i].count ? r->sources[i].oldest : NULL; m;
		     m = m->newer)
			if (http_conn_of(m) != c && http_conn_of(m)->exchange.in.len > 0 &&
			    http_conn_of(m)->phase_ms < before_ms &&
			    (!found || http_conn_of(m)->exchange.held > found->exchange.held))
				found = http_conn_of(m);
	return found;
}

/* Among the requests of a room: who gives way for c? */
static struct http_conn *giving_way(const struct room *r, const struct http_conn *c)
{
	struct http_conn *found = heaviest(r, c, uv_now(c->http->timer.loop) - BODY_SLOW_MS);

	if (found)
		return found;
	found = heaviest(r, c, UINT64_MAX);
	return found && (found->room < c->room || found->exchange.held > c->exchange.held) ? found
											   : NULL;
}

/*
 * First those give way who have proven nothing, and of the others only for one of them; of
 * these, who is slow, and who holds more than the one that needs memory.
 */
static bool make_room(struct http_conn *c)
{
	for (enum http_room room = ROOM_OPEN; room <= c->room; room++) {
		struct http_conn *victim = giving_way(&c->http->rooms[room], c);

		if (!victim)
			continue;
		c->http->dropped[DROP_MEMORY]++;
		http_exchange_refuse(&victim->exchange, STATUS_UNAVAILABLE);
		serve(victim, false);
		return true;
	}
	return false;
}

/* --- one iteration of the loop ------------------------------------------------------- */

static void serve(struct http_conn *c, bool may_be_large)
{
	uint64_t answers = c->exchange.answers;

	c->exchange.is_draining = c->http->is_draining;
	if (http_conn_serve(c, may_be_large, make_room)) {
		http_drop(c, false);
		return;
	}
	if (c->exchange.answers > answers && c->exchange.has_answered) {
		if (c->room == ROOM_OPEN)
			move(c, ROOM_PROVEN);
		else
			room_touch(&c->http->rooms[c->room], &c->member);
	}
	set_deadline(c, c->exchange.answers > answers);
}

static void handshake(struct http_conn *c)
{
	int ret = http_conn_handshake(c);

	if (ret < 0) {
		c->http->dropped[DROP_TLS]++;
		http_drop(c, false);
	} else if (ret > 0) {
		move(c, ROOM_OPEN);
		serve(c, false); /* the request may have come with it */
	} else {
		set_deadline(c, false);
	}
}

/*
 * First come, first computed: else, when more come than can be computed, all would give way just
 * before they are served. So a source that has most of ROOM_HELLO waits in ROOM_SILENT, and another
 * one displaces its newest.
 */
static bool has_room_for_hello(struct http_conn *c)
{
	struct room *hello = &c->http->rooms[ROOM_HELLO];
	struct room_source *largest;

	if (!room_is_full(hello))
		return true;
	largest = room_largest(hello);
	if (room_count_of(hello, c->key) + 1 >= largest->count)
		return false;
	http_drop_for(http_conn_of(largest->newest), DROP_HELLO);
	return true;
}

/* Something has come from it, or its end. */
static void leave_silence(struct http_conn *c)
{
	char byte;
	ssize_t n;

	/* Before it is looked at: in a flood, hundreds wait so. */
	if (c->http->options.has_tls && !has_room_for_hello(c))
		return;
	n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		http_drop(c, true);
		return;
	}
	if (!c->http->options.has_tls) {
		move(c, ROOM_OPEN);
		serve(c, false);
		return;
	}
	move(c, ROOM_HELLO);
	watch(c); /* its bytes stay in the socket, and are no news */
}

/* In how many milliseconds there will be room for another handshake. */
static uint64_t wait_ms_for_handshake(const struct http *h)
{
	const struct room *r = &h->rooms[ROOM_HANDSHAKE];
	uint64_t now_ms = uv_now(h->timer.loop);
	uint64_t end_ms;

	if (!room_is_full(r))
		return 0;
	end_ms = http_conn_of(room_largest(r)->oldest)->phase_ms + HANDSHAKE_MIN_MS;
	return end_ms > now_ms ? end_ms - now_ms : 0;
}

/* From an address that has a proven connection, unless it has many handshakes on their way. */
static struct room_member *known_hello(const struct http *h)
{
	const struct room *proven = &h->rooms[ROOM_PROVEN];

	for (unsigned i = 0; i < proven->used; i++) {
		uint64_t key = proven->sources[i].key;
		struct room_member *m = proven->sources[i].count
						? room_oldest_of(&h->rooms[ROOM_HELLO], key)
						: NULL;

		if (m && room_count_of(&h->rooms[ROOM_HANDSHAKE], key) < KNOWN_HANDSHAKES_MAX)
			return m;
	}
	return NULL;
}

static void compute_one(struct http_conn *c)
{
	move(c, ROOM_HANDSHAKE);
	c->phase_ms = uv_now(c->http->timer.loop);
	if (http_conn_open_tls(c))
		http_drop_for(c, DROP_DESCRIPTORS);
	else
		handshake(c);
}

/* Handshakes, source addresses in rotation; a timer continues what is left over. */
static void compute(struct http *h)
{
	uint64_t end = uv_hrtime() + COMPUTE_NS;
	uint64_t wait_ms = 0;
	struct room_member *m;

	while (h->rooms[ROOM_HELLO].count > 0 && uv_hrtime() < end) {
		m = known_hello(h);
		if (!m) {
			wait_ms = wait_ms_for_handshake(h);
			if (wait_ms > 0)
				break;
			m = room_next(&h->rooms[ROOM_HELLO]);
		}
		compute_one(http_conn_of(m));
	}
	/* Not 0: libuv would call it again before anything else, and time would stand still. */
	if (h->rooms[ROOM_HELLO].count > 0)
		(void)uv_timer_start(&h->compute_timer, http_on_compute, wait_ms ? wait_ms : 1, 0);
}

static void pause_listening(struct http *h)
{
	if (!h->is_paused)
		(void)epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, h->listen_fd, NULL); /* it is in */
	h->is_paused = true;
	http_schedule(h, uv_now(h->timer.loop) + HTTP_DEADLINE_STEP_MS);
}

static bool add_conn(struct http *h, int fd, const struct sockaddr *address)
{
	struct http_conn *c = calloc(1, sizeof(*c));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

	if (!c || epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		free(c);
		(void)close(fd); /* nothing was written through it */
		return false;
	}
	c->http = h;
	c->fd = fd;
	c->key = room_key(address);
	c->events = e.events;
	http_exchange_init(&c->exchange, &h->options);
	enter(c, ROOM_SILENT);
	set_deadline(c, true);
	return true;
}

static void accept_all(struct http *h)
{
	for (int i = 0; i < ACCEPTS_PER_ITERATION && h->listen_fd >= 0; i++) {
		struct sockaddr_storage address;
		socklen_t len = sizeof(address);
		int fd = accept4(h->listen_fd, (struct sockaddr *)&address, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct room_source *largest;

		if (fd >= 0 && add_conn(h, fd, (struct sockaddr *)&address))
			continue;
		if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			return;
		/* No descriptor or no memory: one who is silent gives its own. */
		h->dropped[DROP_DESCRIPTORS]++;
		largest = room_largest(&h->rooms[ROOM_SILENT]);
		if (!largest) {
			pause_listening(h);
			return;
		}
		http_drop_for(http_conn_of(largest->oldest), DROP_SILENT);
	}
}

static void serve_newcomer(struct http_conn *c)
{
	if (c->room == ROOM_OPEN)
		serve(c, false);
	else if (c->room == ROOM_HANDSHAKE)
		handshake(c);
	else if (c->room == ROOM_SILENT)
		leave_silence(c);
}

/* Of the large requests that are whole, the one that is so for longest. */
static void serve_large(struct http *h, unsigned count)
{
	struct http_conn *first = NULL;

	for (unsigned i = 0; i < count; i++) {
		struct http_conn *c = h->events[i].data.ptr;

		if (c && !c->is_dead && c->exchange.state == HTTP_WAITING &&
		    (!first || c->phase_ms < first->phase_ms))
			first = c;
	}
	if (first)
		serve(first, true);
}

/*
 * Proven connections first; then newcomers, starting at another one each time so that the
 * order of epoll favours nobody; then what costs most.
 */
void http_iterate(struct http *h)
{
	int n = epoll_wait(h->epoll_fd, h->events, (int)h->events_max, 0);
	unsigned count = n > 0 ? (unsigned)n : 0;
	bool has_arrivals = false;
	struct http_conn *c;
	uint64_t end;

	for (unsigned i = 0; i < count; i++) {
		c = h->events[i].data.ptr;
		has_arrivals |= !c;
		if (c && !c->is_dead && c->room == ROOM_PROVEN)
			serve(c, false);
	}
	end = uv_hrtime() + NEWCOMERS_NS; /* epoll tells of the others again */
	for (unsigned i = 0; i < count && uv_hrtime() < end; i++) {
		const struct epoll_event *e = &h->events[h->rotation++ % count];

		c = e->data.ptr;
		if (!c || c->is_dead)
			continue;
		/* epoll reports these whatever the connection waits for. */
		if (e->events & (EPOLLERR | EPOLLHUP) && c->room <= ROOM_HELLO)
			http_drop(c, true);
		else
			serve_newcomer(c);
	}
	if (has_arrivals)
		accept_all(h);
	compute(h);
	serve_large(h, count);
	http_free_dead(h);
}
