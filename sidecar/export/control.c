/* SPDX-License-Identifier: Apache-2.0 */
#include "export/control.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/value.h"
#include "export/connection_stream.h"
#include "export/httpd.h"
#include "export/request_stream.h"
#include "export/route_stream.h"

#define CONNECTIONS_MAX 32
/* A reader that takes nothing for so long is ended: somebody may read its lines page by page. */
#define IDLE_SECONDS 1800u

struct control {
	struct control_options options;
	struct httpd *httpd;
	struct request_streams requests;
	struct route_streams routes;
	struct connection_streams *connections;
	struct control_stats stats;
	uint64_t started_ns;
};

static enum MHD_Result refuse_reader(struct control *s, struct MHD_Connection *c, unsigned max,
				     const char *path)
{
	struct text line;
	enum MHD_Result ret;

	text_init(&line);
	text_addf(&line, "there are %u readers of %s already; end one of them", max, path);
	s->stats.refused[CONTROL_REFUSED_READERS]++;
	ret = httpd_answer_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, line.ptr, NULL);
	text_release(&line);
	return ret;
}

/* --- /requests ----------------------------------------------------------------------- */

struct reading {
	bool forbids_headers;
	struct request_question question;
	struct text error;
};

static void set_flag(bool *flag, const char *key, const char *value, struct text *error)
{
	if (value_bool(value, flag))
		text_addf(error, "%s: \"%s\" is neither 1 nor 0", key, value);
}

static enum MHD_Result on_argument(void *ctx, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	struct reading *r = ctx;
	struct request_question *q = &r->question;
	int err = 0;

	(void)kind;
	if (!value)
		value = "";
	if (strcmp(key, "follow") == 0)
		set_flag(&q->is_following, key, value, &r->error);
	else if (strcmp(key, "past") == 0)
		set_flag(&q->has_past, key, value, &r->error);
	else if (strcmp(key, "query") == 0)
		set_flag(&q->has_query, key, value, &r->error);
	else if (strcmp(key, "headers") == 0)
		q->headers = *value ? value : NULL;
	else if (strcmp(key, "try-headers") == 0)
		q->headers = *value && !r->forbids_headers ? value : NULL;
	else
		err = request_filter_set(&q->filter, key, value, &r->error);
	if (r->forbids_headers && !r->error.len && (q->headers || q->filter.header))
		text_addf(&r->error,
			  "%s: this sidecar captures no header fields: it runs with "
			  "--header-capture forbidden",
			  key);
	if (err == -ENOENT)
		text_addf(&r->error, "there is no condition \"%s\"", key);
	return r->error.len ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_requests(struct control *s, struct MHD_Connection *c)
{
	struct reading r = {.forbids_headers = s->options.forbids_headers,
			    .question = {.has_past = true}};
	enum MHD_Result ret;

	if (!s->options.recorder)
		return httpd_answer_line(
			c, MHD_HTTP_NOT_FOUND,
			"the recorder is off: the sidecar runs with --recorder off", NULL);
	text_init(&r.error);
	(void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_argument, &r); /* a count */
	if (r.error.len) {
		ret = httpd_answer_line(c, MHD_HTTP_BAD_REQUEST, r.error.ptr, NULL);
	} else if (s->stats.readers >= REQUEST_READERS_MAX) {
		ret = refuse_reader(s, c, REQUEST_READERS_MAX, "/requests");
	} else {
		ret = request_streams_answer(&s->requests, c, &r.question);
	}
	text_release(&r.error);
	return ret;
}

/* --- /routes ------------------------------------------------------------------------- */

struct window {
	struct route_question question;
	struct text error;
};

static enum MHD_Result on_window_argument(void *ctx, enum MHD_ValueKind kind, const char *key,
					  const char *value)
{
	struct window *w = ctx;
	struct route_question *q = &w->question;

	(void)kind;
	if (!value)
		value = "";
	if (strcmp(key, "follow") == 0)
		set_flag(&q->is_following, key, value, &w->error);
	else if (strcmp(key, "durations") == 0)
		set_flag(&q->has_durations, key, value, &w->error);
	else if (strcmp(key, "by") == 0 && !route_window_by(value, &q->by))
		text_addf(&w->error, "by: \"%s\" is none of route, peer, process, thread", value);
	else if (strcmp(key, "for") == 0 &&
		 (value_duration(value, &q->window_ms) || q->window_ms < ROUTE_WINDOW_MIN_MS ||
		  q->window_ms > ROUTE_WINDOW_MAX_MS))
		text_addf(&w->error, "for: \"%s\" is no time from 100ms to 1h", value);
	else if (strcmp(key, "for") != 0 && strcmp(key, "by") != 0)
		text_addf(&w->error, "there is no condition \"%s\"", key);
	return w->error.len ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_routes(struct control *s, struct MHD_Connection *c)
{
	struct window w = {.question = {.window_ms = ROUTE_WINDOW_DEFAULT_MS}};
	enum MHD_Result ret;

	text_init(&w.error);
	(void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_window_argument, &w);
	if (w.error.len) {
		ret = httpd_answer_line(c, MHD_HTTP_BAD_REQUEST, w.error.ptr, NULL);
	} else if (!route_streams_have_room(&s->routes, &w.question)) {
		ret = refuse_reader(s, c,
				    w.question.is_following ? ROUTE_SHARED_MAX : ROUTE_WINDOWS_MAX,
				    "/routes");
	} else {
		ret = route_streams_answer(&s->routes, c, &w.question);
	}
	text_release(&w.error);
	return ret;
}

/* --- /connections -------------------------------------------------------------------- */

struct listing {
	bool is_following;
	struct text error;
};

static enum MHD_Result on_listing_argument(void *ctx, enum MHD_ValueKind kind, const char *key,
					   const char *value)
{
	struct listing *l = ctx;

	(void)kind;
	if (strcmp(key, "follow") == 0)
		set_flag(&l->is_following, key, value ? value : "", &l->error);
	else
		text_addf(&l->error, "there is no condition \"%s\"", key);
	return l->error.len ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_connections(struct control *s, struct MHD_Connection *c)
{
	struct listing l = {0};
	enum MHD_Result ret;

	text_init(&l.error);
	(void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_listing_argument, &l);
	if (l.error.len)
		ret = httpd_answer_line(c, MHD_HTTP_BAD_REQUEST, l.error.ptr, NULL);
	else if (!connection_streams_have_room(s->connections))
		ret = refuse_reader(s, c, CONNECTION_READERS_MAX, "/connections");
	else
		ret = connection_streams_answer(s->connections, s->httpd, c, l.is_following);
	text_release(&l.error);
	return ret;
}

/* --- /settings ----------------------------------------------------------------------- */

static enum MHD_Result answer_settings(struct control *s, struct MHD_Connection *c)
{
	const struct httpd_field type = {MHD_HTTP_HEADER_CONTENT_TYPE, "application/json"};
	struct text body;

	text_init(&body);
	text_addf(&body, "{\"version\":\"%s\",\"revision\":\"%s\",\"uptime_seconds\":%llu",
		  SIDELIGHT_VERSION, SIDELIGHT_REVISION,
		  (unsigned long long)((uv_hrtime() - s->started_ns) / 1000000000));
	if (s->options.recorder) {
		const struct recorder_stats *r = recorder_stats(s->options.recorder);

		text_addf(&body,
			  ",\"recorder\":{\"recent\":%zu,\"kept\":%zu,\"bytes\":%zu,"
			  "\"recorded\":%llu}",
			  r->recent, r->kept, r->bytes, (unsigned long long)r->recorded);
	} else {
		text_add(&body, ",\"recorder\":null");
	}
	text_addf(&body, ",\"readers\":%llu,\"windows\":%zu", (unsigned long long)s->stats.readers,
		  route_streams_count(&s->routes));
	s->options.settings(s->options.ctx, &body);
	text_add(&body, "}\n");
	return httpd_answer(c, MHD_HTTP_OK, &body, &type, 1);
}

static enum MHD_Result answer_syscalls(struct control *s, struct MHD_Connection *c)
{
	const struct httpd_field type = {MHD_HTTP_HEADER_CONTENT_TYPE, "application/json"};
	struct text body;

	text_init(&body);
	s->options.syscalls(s->options.ctx, &body);
	return httpd_answer(c, MHD_HTTP_OK, &body, &type, 1);
}

/* --- the server ---------------------------------------------------------------------- */

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url)
{
	struct control *s = ctx;

	s->options.catch_up(s->options.ctx);
	if (strcmp(url, "/requests") == 0)
		return answer_requests(s, c);
	if (strcmp(url, "/routes") == 0)
		return answer_routes(s, c);
	if (strcmp(url, "/connections") == 0)
		return answer_connections(s, c);
	if (strcmp(url, "/syscalls") == 0)
		return answer_syscalls(s, c);
	if (strcmp(url, "/settings") == 0)
		return answer_settings(s, c);
	return httpd_answer_line(c, MHD_HTTP_NOT_FOUND,
				 "try /requests, /routes, /connections, /syscalls or /settings",
				 NULL);
}

struct control *control_new(uv_loop_t *loop, const struct control_options *options,
			    const char **ret_error)
{
	struct control *s = calloc(1, sizeof(*s));

	*ret_error = "no memory";
	if (!s)
		return NULL;
	s->options = *options;
	s->started_ns = uv_hrtime();
	s->routes.loop = loop;
	s->routes.engine = options->engine;
	s->requests.recorder = options->recorder;
	s->requests.engine = options->engine;
	s->requests.container = options->container;
	s->requests.round_trip_us = options->round_trip_us;
	s->requests.list = options->list;
	s->requests.ctx = options->ctx;
	s->requests.stats = &s->stats;
	s->routes.stats = &s->stats;
	s->routes.catch_up = options->catch_up;
	s->routes.ctx = options->ctx;
	s->connections = connection_streams_new(
		&(struct connection_stream_options){.loop = loop,
						    .engine = options->engine,
						    .sockets = options->sockets,
						    .stats = &s->stats,
						    .list = options->list,
						    .container = options->container,
						    .ctx = options->ctx});
	if (!s->connections) {
		(void)close(options->fd); /* nobody has connected */
		free(s);
		return NULL;
	}
	s->httpd = httpd_new(loop,
			     &(struct httpd_options){.fd = options->fd,
						     .is_for_maker = options->is_for_maker,
						     .has_feeds = true,
						     .connections_max = CONNECTIONS_MAX,
						     .idle_seconds = IDLE_SECONDS,
						     .request = on_request,
						     .ctx = s},
			     ret_error);
	if (!s->httpd) {
		connection_streams_free(s->connections);
		free(s);
		return NULL;
	}
	s->requests.httpd = s->httpd;
	s->routes.httpd = s->httpd;
	request_streams_start(&s->requests, loop);
	return s;
}

void control_close(struct control *s)
{
	if (!s)
		return;
	route_streams_end(&s->routes);
	request_streams_end(&s->requests);
	connection_streams_end(s->connections, s->httpd);
	httpd_close(s->httpd); /* all answers are over */
	connection_streams_free(s->connections);
	request_streams_stop(&s->requests, free, s);
}

void control_listed(struct control *s)
{
	connection_streams_listed(s->connections);
}

const struct control_stats *control_stats(struct control *s)
{
	s->stats.refused[CONTROL_REFUSED_CONNECTIONS] = httpd_evicted(s->httpd);
	s->stats.buffer_bytes = request_streams_waiting(&s->requests);
	return &s->stats;
}
