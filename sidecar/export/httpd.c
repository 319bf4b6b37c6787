/* SPDX-License-Identifier: Apache-2.0 */
#include "export/httpd.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/unix_socket.h"
#include "export/httpd_strict.h"
#include "export/unread.h"

/* Of the daemon, in one iteration of the loop. */
#define RUNS_MAX	16
#define MEMORY_PER_CONN (16u << 10) /* request head and response head */

/* Older ones send the head of an answer twice where only strictness made it an error. */
#define IS_STRICT (MHD_VERSION >= 0x00097700)

struct httpd_peer {
	int fd; /* -1: free */
	uint64_t asked; /* number of its last request, or of the connection itself */
};

struct httpd {
	struct httpd_options options;
	struct MHD_Daemon *daemon;
	uint16_t port;
	pid_t maker; /* 0: anybody is answered */
	uv_poll_t poll; /* the daemon's epoll descriptor */
	uv_timer_t timer; /* runs only while connections wait to time out */
	int open_handles;
	bool has_closed; /* a connection, since MHD_run() was called */
	uint64_t asked;
	uint64_t evicted;
	struct unread unread; /* what clients have not read of closed connections */
	struct httpd_peer peers[];
};

static struct httpd_peer *peer_find(struct httpd *s, int fd)
{
	for (size_t i = 0; i < s->options.connections_max; i++)
		if (s->peers[i].fd == fd)
			return &s->peers[i];
	return NULL;
}

int httpd_fd(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

void httpd_reset(int fd)
{
	unread_discard(fd);
	/* The daemon sees the end of the stream and closes its side. */
	(void)shutdown(fd, SHUT_RDWR); /* fails only if it is gone already */
}

/* If every place is taken now, one is made for who comes next. */
static void peer_evict(struct httpd *s)
{
	struct httpd_peer *oldest = &s->peers[0];

	for (size_t i = 0; i < s->options.connections_max; i++) {
		if (s->peers[i].fd < 0)
			return;
		if (s->peers[i].asked < oldest->asked)
			oldest = &s->peers[i];
	}
	s->evicted++;
	httpd_reset(oldest->fd);
}

static bool is_welcome(const struct httpd *s, int fd)
{
	return !s->maker || unix_socket_process(fd) == s->maker;
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct httpd *s = ctx;
	int fd = httpd_fd(c);
	struct httpd_peer *peer;

	(void)context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED && !is_welcome(s, fd)) {
		httpd_reset(fd); /* it takes no place; a request that is here already is refused */
		return;
	}
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peer = peer_find(s, -1);
		if (peer)
			*peer = (struct httpd_peer){fd, ++s->asked};
		peer_evict(s);
		return;
	}
	s->has_closed = true;
	unread_keep(&s->unread, fd);
	peer = peer_find(s, fd);
	if (peer)
		*peer = (struct httpd_peer){.fd = -1};
}

static void on_timer(uv_timer_t *timer);

/* Lets the daemon do what it can, then waits for what it waits for. */
static void httpd_run(struct httpd *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	/*
	 * At the connection limit the daemon stops watching the listening socket,
	 * and takes it up again only when it is called after a connection has
	 * ended, which no descriptor tells.
	 */
	for (int i = 0; i < RUNS_MAX && (i == 0 || s->has_closed); i++) {
		s->has_closed = false;
		(void)MHD_run(s->daemon); /* fails only for daemons with own threads */
	}
	/* The other handles of the loop are served in between. */
	if (s->has_closed)
		(void)uv_timer_start(&s->timer, on_timer, 1, 0); /* has a callback */
	else if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		(void)uv_timer_start(&s->timer, on_timer, wait_ms, 0); /* has a callback */
	else
		(void)uv_timer_stop(&s->timer); /* cannot fail */
}

static void on_timer(uv_timer_t *timer)
{
	httpd_run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	httpd_run(poll->data);
}

/*
 * The first call of a request has its head, and nothing in *request; the last one has no data. A
 * body is refused: no client sends one, and nobody may send one for ever.
 */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **request)
{
	static char started;
	struct httpd *s = ctx;
	const struct httpd_options *o = &s->options;
	const struct httpd_field closing = {MHD_HTTP_HEADER_CONNECTION, "close"};
	const struct httpd_field allow = {MHD_HTTP_HEADER_ALLOW, o->has_head ? "GET, HEAD" : "GET"};
	struct httpd_peer *peer;

	(void)data;
	if (!is_welcome(s, httpd_fd(c)))
		return MHD_NO;
	if (!*request && httpd_is_malformed(c, version))
		return httpd_answer_line(c, MHD_HTTP_BAD_REQUEST,
					 "this request is ambiguous (RFC 9112)", &closing);
	if (strcmp(method, "GET") != 0 && !(o->has_head && strcmp(method, "HEAD") == 0))
		return httpd_answer_line(c, MHD_HTTP_METHOD_NOT_ALLOWED,
					 o->has_head ? "only GET and HEAD" : "only GET", &allow);
	if (*data_len > 0)
		return MHD_NO;
	if (!*request) {
		*request = &started;
		return MHD_YES;
	}
	peer = peer_find(s, httpd_fd(c));
	if (peer)
		peer->asked = ++s->asked; /* the last in the order of eviction */
	return o->request(o->ctx, c, url);
}

static struct MHD_Daemon *start(struct httpd *s, int fd)
{
	const struct httpd_options *o = &s->options;
	/* Without a thread and without a poll of its own: MHD_run() is called by the loop. */
	unsigned flags = MHD_USE_EPOLL | (o->has_feeds ? MHD_ALLOW_SUSPEND_RESUME : 0u);

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, o->connections_max,
				MHD_OPTION_CONNECTION_TIMEOUT, o->idle_seconds,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONN,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				MHD_OPTION_STRICT_FOR_CLIENT, IS_STRICT, MHD_OPTION_END);
}

/* Connections inherit it from the listening socket (inet_csk_clone_lock() of the kernel). */
static bool limit_socket(const struct httpd_options *o, int fd)
{
	unsigned timeout_ms = o->unread_seconds * 1000;

	if (!o->listen)
		return true; /* what a Unix socket keeps is bounded by net.core.wmem_default */
	return (!o->socket_bytes ||
		(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &o->socket_bytes, sizeof(int)) == 0 &&
		 setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &o->socket_bytes, sizeof(int)) == 0)) &&
	       (!timeout_ms || setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
					  sizeof(timeout_ms)) == 0);
}

struct httpd *httpd_new(uv_loop_t *loop, const struct httpd_options *options,
			const char **ret_error)
{
	struct httpd *s;
	const union MHD_DaemonInfo *info;
	int fd = options->listen ? listen_open(options->listen, ret_error) : options->fd;

	if (fd < 0)
		return NULL;
	s = calloc(1, sizeof(*s) + options->connections_max * sizeof(s->peers[0]));
	if (!s) {
		(void)close(fd); /* nobody has connected */
		*ret_error = "no memory";
		return NULL;
	}
	s->options = *options;
	s->port = options->listen ? listen_port(fd) : 0;
	s->maker = options->is_for_maker ? unix_socket_process(fd) : 0;
	for (size_t i = 0; i < options->connections_max; i++)
		s->peers[i].fd = -1;
	if (limit_socket(options, fd))
		s->daemon = start(s, fd);
	if (!s->daemon) {
		(void)close(fd); /* nobody has connected */
		free(s);
		*ret_error = "the HTTP server does not start";
		return NULL;
	}
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(loop, &s->poll, info->epoll_fd) < 0) {
		MHD_stop_daemon(s->daemon);
		free(s);
		*ret_error = "the HTTP server's descriptor cannot be polled";
		return NULL;
	}
	(void)uv_timer_init(loop, &s->timer); /* cannot fail */
	unread_init(&s->unread, loop, options->unread_max,
		    options->unread_seconds * UINT64_C(1000));
	s->unread.timer.data = &s->unread;
	s->open_handles = 3;
	s->poll.data = s;
	s->timer.data = s;
	(void)uv_poll_start(&s->poll, UV_READABLE, on_readable); /* is not closing */
	return s;
}

void httpd_flush(struct httpd *s)
{
	httpd_run(s);
}

uint16_t httpd_port(const struct httpd *s)
{
	return s->port;
}

uint64_t httpd_evicted(const struct httpd *s)
{
	return s->evicted;
}

uint64_t httpd_discarded(const struct httpd *s)
{
	return s->unread.resets;
}

enum MHD_Result httpd_queue(struct MHD_Connection *c, unsigned status, struct MHD_Response *r,
			    const struct httpd_field *fields, size_t field_count)
{
	enum MHD_Result ret = MHD_YES;

	for (size_t i = 0; i < field_count && ret == MHD_YES; i++)
		if (fields[i].value)
			ret = MHD_add_response_header(r, fields[i].name, fields[i].value);
	if (ret == MHD_YES)
		ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

enum MHD_Result httpd_answer(struct MHD_Connection *c, unsigned status, struct text *body,
			     const struct httpd_field *fields, size_t field_count)
{
	static char nothing[1];
	bool is_empty = body->len == 0;
	struct MHD_Response *r = NULL;

	if (!body->has_failed)
		r = MHD_create_response_from_buffer(body->len, is_empty ? nothing : body->ptr,
						    is_empty ? MHD_RESPMEM_PERSISTENT
							     : MHD_RESPMEM_MUST_FREE);
	if (!r) {
		text_release(body);
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	}
	return httpd_queue(c, status, r, fields, field_count);
}

enum MHD_Result httpd_answer_line(struct MHD_Connection *c, unsigned status, const char *line,
				  const struct httpd_field *field)
{
	const struct httpd_field fields[] = {
		{MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8"},
		field ? *field : (struct httpd_field){NULL, NULL}};
	struct text body;

	text_init(&body);
	text_add(&body, line);
	text_add_char(&body, '\n');
	return httpd_answer(c, status, &body, fields, 2);
}

static void on_closed(uv_handle_t *handle)
{
	struct httpd *s = handle->data;

	if (--s->open_handles == 0)
		free(s);
}

static void on_unread_closed(uv_handle_t *handle)
{
	struct unread *u = handle->data;
	struct httpd *s = (struct httpd *)((char *)u - offsetof(struct httpd, unread));

	if (--s->open_handles == 0)
		free(s);
}

void httpd_close(struct httpd *s)
{
	if (!s)
		return;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	MHD_stop_daemon(s->daemon);
	unread_close(&s->unread, on_unread_closed);
}
