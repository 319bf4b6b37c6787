/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/http_conn.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES	  16384 /* a TLS record at most: GnuTLS keeps nothing back */
#define READS_PER_TURN	  8
#define ANSWERS_PER_TURN  8
#define DISCARD_BYTES_MAX (4u << 20)
/* Until the handshake is finished, the kernel holds little for a peer; bodies come faster. */
#define BODY_WINDOW (16 << 10)

enum { STATUS_UNAVAILABLE = 503 };

int http_conn_open_tls(struct http_conn *c)
{
	c->tls = tls_open(c->fd);
	if (!c->tls)
		return -ENOMEM;
	c->cert = cert_hold();
	return 0;
}

static void begin_linger(struct http_conn *c)
{
	if (c->tls)
		tls_end(c->tls);
	(void)shutdown(c->fd, SHUT_WR); /* fails only if the peer is gone: then reading says so */
	c->is_lingering = true;
}

static int discard(struct http_conn *c)
{
	for (int i = 0; i < READS_PER_TURN && c->discarded < DISCARD_BYTES_MAX; i++) {
		/* MSG_TRUNC: the kernel copies nothing (tcp(7)). */
		ssize_t n = recv(c->fd, NULL, READ_BYTES, MSG_TRUNC | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -EPIPE;
		c->discarded += (size_t)n;
	}
	return c->discarded < DISCARD_BYTES_MAX ? 0 : -EPIPE;
}

int http_conn_handshake(struct http_conn *c)
{
	const int window = BODY_WINDOW;
	int err = tls_handshake(c->tls);

	if (err == -EAGAIN)
		return 0;
	if (err) {
		/* Data that nobody has read would make a reset of the end, and lose the alert. */
		(void)discard(c);
		return err;
	}
	/* A smaller window is slower, and no error. */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
	return 1;
}

static ssize_t conn_read(struct http_conn *c, void *buf, size_t size)
{
	ssize_t n;

	if (c->tls)
		return tls_read(c->tls, buf, size);
	n = recv(c->fd, buf, size, 0);
	return n < 0 ? -errno : n;
}

/* Sends what there is of the answer. Returns 1 if nothing is left, 0, or -EPIPE. */
static int flush(struct http_conn *c)
{
	struct span out = http_exchange_out(&c->exchange);

	while (out.len > 0) {
		ssize_t n = c->tls ? tls_write(c->tls, out.ptr, out.len)
				   : send(c->fd, out.ptr, out.len, MSG_NOSIGNAL);

		if (n == -EAGAIN || (!c->tls && n < 0 && (errno == EAGAIN || errno == EINTR)))
			return 0;
		if (n < 0)
			return -EPIPE;
		http_exchange_sent(&c->exchange, (size_t)n);
		out = http_exchange_out(&c->exchange);
	}
	return 1;
}

/*
 * Answers what is here. Returns 1 to read on, 0 to wait for epoll, or -EPIPE.
 */
static int answer(struct http_conn *c, bool may_be_large)
{
	for (int i = 0; i < ANSWERS_PER_TURN; i++) {
		bool has_more = http_exchange_run(&c->exchange, may_be_large);
		int ret = flush(c);

		if (ret <= 0)
			return ret;
		if (c->exchange.state == HTTP_CLOSED) {
			begin_linger(c);
			return discard(c);
		}
		if (c->exchange.state == HTTP_WAITING)
			return 0;
		if (!has_more)
			return 1;
		may_be_large = false;
	}
	return 0;
}

int http_conn_serve(struct http_conn *c, bool may_be_large, bool (*make_room)(struct http_conn *c))
{
	static char buf[READ_BYTES];
	int ret;

	if (c->is_lingering)
		return discard(c);
	ret = answer(c, may_be_large);
	for (int i = 0; ret > 0 && i < READS_PER_TURN; i++) {
		ssize_t n = conn_read(c, buf, sizeof(buf));

		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n <= 0)
			return -EPIPE;
		while (http_exchange_add(&c->exchange, (struct span){buf, (size_t)n})) {
			if (make_room(c))
				continue;
			http_exchange_refuse(&c->exchange, STATUS_UNAVAILABLE);
		}
		ret = answer(c, false);
	}
	return ret < 0 ? ret : 0;
}

uint32_t http_conn_events(const struct http_conn *c)
{
	if (c->is_lingering)
		return EPOLLIN;
	if (c->room == ROOM_HELLO)
		return 0;
	if (c->room == ROOM_HANDSHAKE)
		return gnutls_record_get_direction(c->tls) ? EPOLLOUT : EPOLLIN;
	/* A large request waits until no other is computed: a socket that can be written to wakes
	 * us. */
	if (http_exchange_out(&c->exchange).len > 0 || c->exchange.state == HTTP_WAITING)
		return EPOLLOUT;
	/* Pipelined requests that one iteration did not answer. */
	return c->exchange.has_more ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

enum http_phase http_conn_phase(const struct http_conn *c)
{
	if (c->is_lingering)
		return PHASE_LINGER;
	if (c->room < ROOM_OPEN)
		return PHASE_HANDSHAKE;
	if (http_exchange_out(&c->exchange).len > 0)
		return PHASE_ANSWER;
	return c->exchange.in.len > 0 ? PHASE_REQUEST : PHASE_IDLE;
}

void http_conn_close(struct http_conn *c, bool has_reset)
{
	const struct linger reset = {1, 0};

	if (has_reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	tls_close(c->tls);
	if (c->cert)
		cert_drop(c->cert);
	http_exchange_release(&c->exchange);
	(void)close(c->fd); /* what was not sent is lost, as meant */
	c->tls = NULL;
	c->cert = NULL;
	c->fd = -1;
}
