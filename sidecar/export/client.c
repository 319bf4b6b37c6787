/* SPDX-License-Identifier: Apache-2.0 */
#include "export/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "export/received.h"

struct client {
	CURLM *multi;
	uv_loop_t *loop;
	uv_timer_t timer;
	client_fn fn;
	void *ctx;
	struct watch *watch; /* of the transfer that runs; NULL: it has no socket */
};

/* A socket that libcurl wants watched; lives until it says REMOVE. */
struct watch {
	uv_poll_t poll;
	curl_socket_t fd;
	struct client *client;
	CURL *easy;
	uint64_t received_before; /* over this connection, by earlier transfers */
};

/*
 * libcurl 7.88 says that memory has run out when a header line is longer than its
 * CURL_MAX_HTTP_HEADER, 100 KiB: while an answer is being read, it is rather the line.
 */
static bool has_answer_begun(CURL *easy)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &us); /* or it stays 0 */
	return us > 0;
}

static void report_ended(struct client *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_multi_remove_handle(c->multi, easy); /* it was added */
		if (code == CURLE_OUT_OF_MEMORY && has_answer_begun(easy))
			code = CURLE_FILESIZE_EXCEEDED;
		c->fn(c->ctx, easy, code);
	}
}

/* Ends the transfer that has received too much. */
static bool end_endless(struct client *c)
{
	struct watch *w = c->watch;
	CURL *easy;

	if (!w)
		return false;
	if (received_bytes(w->fd) - w->received_before <= CLIENT_RECEIVED_MAX)
		return false;
	easy = w->easy;
	(void)curl_multi_remove_handle(c->multi, easy); /* closes the connection, and w */
	c->fn(c->ctx, easy, CURLE_FILESIZE_EXCEEDED);
	return true;
}

/*
 * Errors of the multi interface show as errors of the transfer. libcurl reads from sockets in
 * its timers, too.
 */
static void act(struct client *c, curl_socket_t fd, int events)
{
	int running;

	if (end_endless(c))
		return;
	(void)curl_multi_socket_action(c->multi, fd, events, &running);
	report_ended(c);
}

static void on_socket_event(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int flags = 0;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(w->client, w->fd, flags);
}

static void on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct client *c = ctx;
	struct watch *w = socket_ctx;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (w && c->watch == w)
			c->watch = NULL;
		if (w)
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -1; /* the transfer fails */
		if (uv_poll_init(c->loop, &w->poll, fd) < 0) {
			free(w);
			return -1;
		}
		w->poll.data = w;
		w->fd = fd;
		w->client = c;
		w->received_before = received_bytes(fd);
		(void)curl_multi_assign(c->multi, fd, w); /* fd is one of its own */
	}
	w->easy = easy;
	c->watch = w;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&w->poll, events, on_socket_event);
}

static int timer_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
	struct client *c = ctx;

	(void)multi;
	if (timeout_ms < 0)
		return uv_timer_stop(&c->timer);
	/* 0 too goes through the loop: libcurl must not be called from here. */
	return uv_timer_start(&c->timer, on_timer, (uint64_t)timeout_ms, 0);
}

struct client *client_new(uv_loop_t *loop, client_fn fn, void *ctx)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(c);
		return NULL;
	}
	c->multi = curl_multi_init();
	if (!c->multi) {
		curl_global_cleanup();
		free(c);
		return NULL;
	}
	c->loop = loop;
	c->fn = fn;
	c->ctx = ctx;
	(void)uv_timer_init(loop, &c->timer); /* cannot fail */
	c->timer.data = c;
	/* Setting these options cannot fail. */
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 1L);
	return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void client_close(struct client *c)
{
	if (!c)
		return;
	(void)curl_multi_cleanup(c->multi); /* nothing is in it */
	curl_global_cleanup();
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

int client_start(struct client *c, CURL *easy)
{
	return curl_multi_add_handle(c->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void client_cancel(struct client *c, CURL *easy)
{
	(void)curl_multi_remove_handle(c->multi, easy); /* it was added */
}
