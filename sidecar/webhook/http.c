/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listen.h"
#include "webhook/cert.h"

/* Three API servers keep 25 idle connections each. */
#define CONNECTIONS_MAX 256
#define MEMORY_PER_CONN (16u << 10)
/* API servers drop idle connections after 90 s: they must be the first, because a review that
 * meets a closing connection is lost. */
#define IDLE_SECONDS   130u
#define ALL_BODIES_MAX (32u << 20)
#define OVERRUN_MAX    (4u << 20) /* read, and thrown away, of a body that nobody wants */

struct client {
	int fd; /* -1: free */
	uint64_t asked; /* number of its last request, or of the connection itself */
	struct cert *cert; /* NULL without TLS */
};

struct http {
	struct http_options options;
	struct MHD_Daemon *daemon;
	uint16_t port;
	uv_poll_t poll; /* the server's epoll descriptor */
	uv_timer_t timer; /* runs only while connections wait to time out */
	int open_handles;
	bool has_closed; /* a connection, since MHD_run() was called */
	bool is_draining;
	uint64_t asked;
	uint64_t evicted;
	size_t body_bytes; /* of all uploads */
	unsigned uploads;
	struct client clients[CONNECTIONS_MAX];
};

/* One request that is on its way. */
struct upload {
	struct text body;
	unsigned status; /* it is refused by, or 0 */
	size_t overrun;
};

static const char *field(struct MHD_Connection *c, const char *name)
{
	const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

	return value ? value : "";
}

static struct client *client_find(struct http *h, int fd)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (h->clients[i].fd == fd)
			return &h->clients[i];
	return NULL;
}

static int connection_fd(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Takes the body of a. */
static enum MHD_Result queue(struct http *h, struct MHD_Connection *c, struct http_answer *a)
{
	struct MHD_Response *r = NULL;
	enum MHD_Result ret = MHD_NO;
	bool is_empty = a->body.len == 0;
	static char nothing[1];

	if (!a->body.has_failed)
		r = MHD_create_response_from_buffer(a->body.len, is_empty ? nothing : a->body.ptr,
						    is_empty ? MHD_RESPMEM_PERSISTENT
							     : MHD_RESPMEM_MUST_FREE);
	if (!r) {
		text_release(&a->body);
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	}
	if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type) == MHD_YES &&
	    (!a->allow || MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, a->allow) == MHD_YES) &&
	    (!h->is_draining ||
	     MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES))
		ret = MHD_queue_response(c, a->status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result answer(struct http *h, struct MHD_Connection *c,
			      const struct http_request *r, unsigned status)
{
	struct http_answer a = {.status = status, .type = "text/plain; charset=utf-8"};

	text_init(&a.body);
	h->options.answer(h->options.ctx, r, &a);
	return queue(h, c, &a);
}

/* Returns false to close the connection. */
static bool upload_add(struct http *h, struct upload *u, struct span data)
{
	if (!u->status && u->body.len + data.len > h->options.body_max)
		u->status = MHD_HTTP_CONTENT_TOO_LARGE;
	if (!u->status && h->body_bytes + data.len > ALL_BODIES_MAX)
		u->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	if (u->status) {
		u->overrun += data.len;
		return u->overrun <= OVERRUN_MAX;
	}
	text_add_span(&u->body, data);
	h->body_bytes += data.len;
	if (u->body.has_failed)
		u->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	return true;
}

static enum MHD_Result on_head(struct http *h, struct MHD_Connection *c,
			       const struct http_request *r, void **ret_upload)
{
	struct client *client = client_find(h, connection_fd(c));
	const char *length = field(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return MHD_NO;
	if (client)
		client->asked = ++h->asked;
	text_init(&u->body);
	/* Who is refused is answered behind the body: data that nobody has read turns
	 * the end of a connection into a reset, and the answer is lost. */
	u->status = h->options.refuse(h->options.ctx, r);
	if (!u->status && strtoull(length, NULL, 10) > h->options.body_max)
		u->status = MHD_HTTP_CONTENT_TOO_LARGE;
	h->uploads++;
	*ret_upload = u;
	return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **request)
{
	struct http *h = ctx;
	struct upload *u = *request;
	struct http_request r = {.method = method,
				 .path = url,
				 .content_type = field(c, MHD_HTTP_HEADER_CONTENT_TYPE)};

	(void)version;
	if (!u)
		return on_head(h, c, &r, request);
	if (*data_len > 0) {
		bool ok = upload_add(h, u, (struct span){data, *data_len});

		*data_len = 0;
		return ok ? MHD_YES : MHD_NO;
	}
	r.body = text_span(&u->body);
	return answer(h, c, &r, u->status);
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **request,
			 enum MHD_RequestTerminationCode code)
{
	struct http *h = ctx;
	struct upload *u = *request;

	(void)c;
	(void)code;
	if (!u)
		return;
	h->body_bytes -= u->body.len;
	h->uploads--;
	text_release(&u->body);
	free(u);
	*request = NULL;
}

/* If every place is taken now, one is made for who comes next. */
static void client_evict(struct http *h)
{
	struct client *oldest = &h->clients[0];

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (h->clients[i].fd < 0)
			return;
		if (h->clients[i].asked < oldest->asked)
			oldest = &h->clients[i];
	}
	h->evicted++;
	/* The server sees the end of the stream and closes its side. */
	(void)shutdown(oldest->fd, SHUT_RDWR); /* fails only if it is gone already */
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *h = ctx;
	int fd = connection_fd(c);
	struct client *client;

	(void)context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		client = client_find(h, -1);
		if (client)
			*client = (struct client){fd, ++h->asked,
						  h->options.has_tls ? cert_hold() : NULL};
		client_evict(h);
		return;
	}
	h->has_closed = true;
	client = client_find(h, fd);
	if (!client)
		return;
	if (client->cert)
		cert_drop(client->cert);
	*client = (struct client){.fd = -1};
}

static void on_timer(uv_timer_t *timer);

/* Lets the server do what it can, then waits for what it waits for. */
static void http_run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	/* At the connection limit the server does not watch the listening socket, until it
	 * is called after a connection has ended, which no descriptor tells. */
	do {
		h->has_closed = false;
		(void)MHD_run(h->daemon); /* fails only for daemons with own threads */
	} while (h->has_closed);
	if (MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES)
		(void)uv_timer_start(&h->timer, on_timer, wait_ms, 0); /* has a callback */
	else
		(void)uv_timer_stop(&h->timer); /* cannot fail */
}

static void on_timer(uv_timer_t *timer)
{
	http_run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	http_run(poll->data);
}

static struct MHD_Daemon *start(struct http *h, int fd)
{
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)cert_choose},
				       {MHD_OPTION_HTTPS_PRIORITIES, 0,
					(char[]){"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}},
				       {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};

	/* Without a thread and without a poll of its own: MHD_run() is called by the loop. */
	return MHD_start_daemon(MHD_USE_EPOLL | (h->options.has_tls ? MHD_USE_TLS : 0u), 0, NULL,
				NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONN,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_ARRAY,
				h->options.has_tls ? tls : plain, MHD_OPTION_END);
}

struct http *http_new(uv_loop_t *loop, const struct http_options *options, const char **ret_error)
{
	struct http *h;
	const union MHD_DaemonInfo *info;
	int fd = listen_open(options->listen, ret_error);

	if (fd < 0)
		return NULL;
	h = calloc(1, sizeof(*h));
	if (!h) {
		(void)close(fd); /* nobody has connected */
		*ret_error = "no memory";
		return NULL;
	}
	h->options = *options;
	h->port = listen_port(fd);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		h->clients[i].fd = -1;
	h->daemon = start(h, fd);
	if (!h->daemon) {
		(void)close(fd); /* nobody has connected */
		free(h);
		*ret_error = "the HTTP server does not start";
		return NULL;
	}
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(loop, &h->poll, info->epoll_fd) < 0) {
		MHD_stop_daemon(h->daemon);
		free(h);
		*ret_error = "the HTTP server's descriptor cannot be polled";
		return NULL;
	}
	(void)uv_timer_init(loop, &h->timer); /* cannot fail */
	h->open_handles = 2;
	h->poll.data = h;
	h->timer.data = h;
	(void)uv_poll_start(&h->poll, UV_READABLE, on_readable); /* is not closing */
	return h;
}

uint16_t http_port(const struct http *h)
{
	return h->port;
}

unsigned http_connections(const struct http *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

uint64_t http_evicted(const struct http *h)
{
	return h->evicted;
}

void http_drain(struct http *h)
{
	h->is_draining = true;
}

void http_stop_listening(struct http *h)
{
	int fd = MHD_quiesce_daemon(h->daemon);

	if (fd >= 0)
		(void)close(fd); /* nothing was written through it */
}

unsigned http_requests(const struct http *h)
{
	return h->uploads;
}

static void on_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;

	if (--h->open_handles == 0)
		free(h);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	MHD_stop_daemon(h->daemon);
}
