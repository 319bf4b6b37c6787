/* SPDX-License-Identifier: Apache-2.0 */
#include "export/scrape.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listen.h"
#include "export/accept.h"
#include "export/gzip.h"

#define CONNECTIONS_MAX 16
#define MEMORY_PER_CONN (16u << 10) /* request head and response head */
#define IDLE_SECONDS	75u /* longer than a minute between scrapes */
#define GZIP_FROM	1024u /* bytes; what fits a packet anyway is not compressed */

struct client {
	int fd; /* -1: free */
	uint64_t asked; /* number of the last request, or of the connection itself */
};

struct scrape {
	struct scrape_options options;
	struct MHD_Daemon *daemon;
	uint16_t port;
	uv_poll_t poll; /* the server's epoll descriptor */
	uv_timer_t timer; /* runs only while connections wait to time out */
	int open_handles;
	bool has_closed; /* a connection, since MHD_run() was called */
	uint64_t asked;
	struct client clients[CONNECTIONS_MAX];
};

/* Takes the body, which is not empty. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, struct text *body,
			      const char *type, const char *field, const char *value)
{
	struct MHD_Response *r;
	enum MHD_Result ret = MHD_NO;

	if (body->has_failed) {
		text_release(body);
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	}
	r = MHD_create_response_from_buffer(body->len, body->ptr, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		text_release(body);
		return MHD_NO;
	}
	if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	    (!field || MHD_add_response_header(r, field, value) == MHD_YES))
		ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result answer_line(struct MHD_Connection *c, unsigned status, const char *line,
				   const char *field, const char *value)
{
	struct text body;

	text_init(&body);
	text_add(&body, line);
	text_add_char(&body, '\n');
	return answer(c, status, &body, "text/plain; charset=utf-8", field, value);
}

static enum MHD_Result answer_metrics(struct scrape *s, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	const char *encoding = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept-Encoding");
	enum text_format format = accept_format(accept);
	const char *type =
		format == TEXT_OPENMETRICS ? TEXT_OPENMETRICS_TYPE : TEXT_PROMETHEUS_TYPE;
	struct text body;
	struct text packed;
	size_t len;
	char *ptr;

	if (s->options.before)
		s->options.before(s->options.ctx);
	text_init(&body);
	text_encode(&body, s->options.registry, format, s->options.labels, s->options.label_count);
	if (body.has_failed || body.len < GZIP_FROM || !accept_gzip(encoding) ||
	    gzip_span(text_span(&body), &ptr, &len) < 0)
		return answer(c, MHD_HTTP_OK, &body, type, NULL, NULL);
	text_release(&body);
	packed = (struct text){.ptr = ptr, .len = len, .alloc = len};
	return answer(c, MHD_HTTP_OK, &packed, type, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
}

static struct client *client_find(struct scrape *s, int fd)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->clients[i].fd == fd)
			return &s->clients[i];
	return NULL;
}

static int connection_fd(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **request)
{
	static char started;
	struct scrape *s = ctx;
	struct client *client = client_find(s, connection_fd(c));
	const char *why = NULL;

	(void)version;
	(void)data;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_line(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD",
				   MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (*data_len > 0)
		return MHD_NO; /* no scraper sends a body; nobody may send one for ever */
	if (!*request) { /* the first of two calls: the head is read, the body is not */
		*request = &started;
		return MHD_YES;
	}
	if (client)
		client->asked = ++s->asked;
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(s, c);
	if (strcmp(url, "/healthz") == 0)
		return answer_line(c, MHD_HTTP_OK, "ok", NULL, NULL);
	if (strcmp(url, "/readyz") != 0)
		return answer_line(c, MHD_HTTP_NOT_FOUND, "try /metrics, /healthz or /readyz", NULL,
				   NULL);
	if (s->options.unready)
		why = s->options.unready(s->options.ctx);
	return answer_line(c, why ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, why ? why : "ready",
			   NULL, NULL);
}

/* If every place is taken now, one is made for who comes next. */
static void client_evict(struct scrape *s)
{
	struct client *oldest = &s->clients[0];

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (s->clients[i].fd < 0)
			return;
		if (s->clients[i].asked < oldest->asked)
			oldest = &s->clients[i];
	}
	/* The server sees the end of the stream and closes its side. */
	(void)shutdown(oldest->fd, SHUT_RDWR); /* fails only if it is gone already */
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct scrape *s = ctx;
	int fd = connection_fd(c);
	struct client *client;

	(void)context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		client = client_find(s, -1);
		if (client)
			*client = (struct client){fd, ++s->asked};
		client_evict(s);
		return;
	}
	s->has_closed = true;
	client = client_find(s, fd);
	if (client)
		client->fd = -1;
}

static void on_timer(uv_timer_t *timer);

/* Lets the server do what it can, then waits for what it waits for. */
static void scrape_run(struct scrape *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	/*
	 * At the connection limit the server stops watching the listening socket,
	 * and takes it up again only when it is called after a connection has
	 * ended, which no descriptor tells.
	 */
	do {
		s->has_closed = false;
		(void)MHD_run(s->daemon); /* fails only for daemons with own threads */
	} while (s->has_closed);
	if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		(void)uv_timer_start(&s->timer, on_timer, wait_ms, 0); /* has a callback */
	else
		(void)uv_timer_stop(&s->timer); /* cannot fail */
}

static void on_timer(uv_timer_t *timer)
{
	scrape_run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	scrape_run(poll->data);
}

struct scrape *scrape_new(uv_loop_t *loop, const struct scrape_options *options,
			  const char **ret_error)
{
	struct scrape *s;
	const union MHD_DaemonInfo *info;
	int fd = listen_open(options->listen, ret_error);

	if (fd < 0)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s) {
		(void)close(fd); /* nobody has connected */
		*ret_error = "no memory";
		return NULL;
	}
	s->options = *options;
	s->port = listen_port(fd);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		s->clients[i].fd = -1;
	/* Without a thread and without a poll of its own: MHD_run() is called by the loop. */
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				     IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)MEMORY_PER_CONN, MHD_OPTION_NOTIFY_CONNECTION,
				     on_connection, s, MHD_OPTION_END);
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
	s->open_handles = 2;
	s->poll.data = s;
	s->timer.data = s;
	(void)uv_poll_start(&s->poll, UV_READABLE, on_readable); /* is not closing */
	return s;
}

static void on_closed(uv_handle_t *handle)
{
	struct scrape *s = handle->data;

	if (--s->open_handles == 0)
		free(s);
}

void scrape_close(struct scrape *s)
{
	if (!s)
		return;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	MHD_stop_daemon(s->daemon);
}

uint16_t scrape_port(const struct scrape *s)
{
	return s->port;
}
