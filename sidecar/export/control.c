/* SPDX-License-Identifier: Apache-2.0 */
#include "export/control.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
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
	else
		err = request_filter_set(&q->filter, key, value, &r->error);
	if (err == -ENOENT)
		text_addf(&r->error, "there is no condition \"%s\"", key);
	return r->error.len ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_requests(struct control *s, struct MHD_Connection *c)
{
	struct reading r = {.question = {.has_past = true}};
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
	uint64_t ms;
	bool is_following;
	struct text error;
};

static enum MHD_Result on_window_argument(void *ctx, enum MHD_ValueKind kind, const char *key,
					  const char *value)
{
	struct window *w = ctx;

	(void)kind;
	if (!value)
		value = "";
	if (strcmp(key, "follow") == 0)
		set_flag(&w->is_following, key, value, &w->error);
	else if (strcmp(key, "for") != 0)
		text_addf(&w->error, "there is no condition \"%s\"", key);
	else if (value_duration(value, &w->ms) || w->ms < ROUTE_WINDOW_MIN_MS ||
		 w->ms > ROUTE_WINDOW_MAX_MS)
		text_addf(&w->error, "for: \"%s\" is no time from 100ms to 1h", value);
	return w->error.len ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer_routes(struct control *s, struct MHD_Connection *c)
{
	struct window w = {.ms = ROUTE_WINDOW_DEFAULT_MS};
	enum MHD_Result ret;

	text_init(&w.error);
	(void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_window_argument, &w);
	if (w.error.len) {
		ret = httpd_answer_line(c, MHD_HTTP_BAD_REQUEST, w.error.ptr, NULL);
	} else if (s->routes.count >= ROUTE_READERS_MAX) {
		ret = refuse_reader(s, c, ROUTE_READERS_MAX, "/routes");
	} else {
		ret = route_streams_answer(&s->routes, c, w.ms, w.is_following);
	}
	text_release(&w.error);
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
		  s->routes.count);
	s->options.settings(s->options.ctx, &body);
	text_add(&body, "}\n");
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
	if (strcmp(url, "/settings") == 0)
		return answer_settings(s, c);
	return httpd_answer_line(c, MHD_HTTP_NOT_FOUND, "try /requests, /routes or /settings",
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
	s->requests.container = options->container;
	s->requests.ctx = options->ctx;
	s->requests.stats = &s->stats;
	s->routes.stats = &s->stats;
	s->routes.catch_up = options->catch_up;
	s->routes.ctx = options->ctx;
	s->httpd = httpd_new(loop,
			     &(struct httpd_options){.fd = options->fd,
						     .has_feeds = true,
						     .connections_max = CONNECTIONS_MAX,
						     .idle_seconds = IDLE_SECONDS,
						     .request = on_request,
						     .ctx = s},
			     ret_error);
	if (!s->httpd) {
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
	httpd_close(s->httpd); /* all answers are over */
	request_streams_stop(&s->requests, free, s);
}

const struct control_stats *control_stats(struct control *s)
{
	s->stats.refused[CONTROL_REFUSED_CONNECTIONS] = httpd_evicted(s->httpd);
	s->stats.buffer_bytes = request_streams_waiting(&s->requests);
	return &s->stats;
}
