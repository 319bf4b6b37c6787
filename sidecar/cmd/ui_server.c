/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ui_server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "cmd/control_client.h"
#include "cmd/ui_access.h"
#include "cmd/ui_assets.h"
#include "export/feed.h"
#include "export/httpd.h"
#include "export/json.h"

#define CONNECTIONS_MAX 32
#define IDLE_SECONDS	75u
/* Questions to the sidecar that are open at once, which has room for eight readers. */
#define QUERIES_MAX 4
/* Of the answer to one of them. */
#define ANSWER_MAX (2u << 20)

/* A page asks each second, one that is hidden each minute. */
#define HEADERS_MS 75000u

#define NDJSON "application/x-ndjson"
/* No script, style or connection but of this server, and nobody may frame it. */
#define POLICY                                                                                     \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "    \
	"data:;"                                                                                   \
	" base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct ui_query {
	struct feed feed; /* first */
	struct ui_server *server;
	struct ui_query *next;
	struct control_call *call; /* NULL: it has ended */
};

struct ui_server {
	struct ui_server_options options;
	struct httpd *httpd;
	struct ui_access access;
	struct ui_query *queries;
	size_t query_count;
	uv_loop_t *loop;
	uint64_t asked_ms;
	uint64_t headers_until_ms; /* header fields are wanted; 0: they are not */
};

enum { FIELDS = 8 };

/* Of every answer; set_cookie: NULL: none. */
static void fields_of(struct httpd_field fields[FIELDS], const char *type, const char *set_cookie)
{
	const struct httpd_field all[FIELDS] = {
		{MHD_HTTP_HEADER_CONTENT_TYPE, type},
		{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
		{"Content-Security-Policy", POLICY},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Content-Type-Options", "nosniff"},
		{MHD_HTTP_HEADER_SET_COOKIE, set_cookie},
	};

	memcpy(fields, all, sizeof(all));
}

/* --- questions to the sidecar -------------------------------------------------------- */

static bool on_line(void *ctx, struct span line)
{
	struct ui_query *q = ctx;

	if (q->feed.buf.len + line.len >= ANSWER_MAX)
		return false;
	text_add_span(&q->feed.buf, line);
	text_add_char(&q->feed.buf, '\n');
	return !q->feed.buf.has_failed;
}

static bool on_pause(void *ctx)
{
	(void)ctx;
	return true;
}

static void on_fill(struct feed *f)
{
	(void)f; /* the transfer does it */
}

static void end_call(struct ui_query *q)
{
	if (!q->call)
		return;
	/* It is in there. */
	(void)curl_multi_remove_handle(q->server->options.multi, control_call_handle(q->call));
	control_call_free(q->call);
	q->call = NULL;
}

static void on_gone(struct feed *f)
{
	struct ui_query *q = (struct ui_query *)f;
	struct ui_query **at = &q->server->queries;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->server->query_count--;
	end_call(q);
	free(q);
}

static void add_failure(struct text *out, const char *why)
{
	text_add(out, "{\"ok\":false");
	json_escaped(out, "error", span_of(why));
	text_add(out, "}\n");
}

void ui_server_ended(struct ui_server *s, CURL *easy, CURLcode code)
{
	struct ui_query *q = s->queries;
	const char *why = NULL;

	while (q && !(q->call && control_call_handle(q->call) == easy))
		q = q->next;
	if (!q)
		return;
	if (!control_call_is_answered(q->call))
		why = *control_call_refusal(q->call) ? control_call_refusal(q->call)
						     : "the sidecar does not answer";
	else if (code != CURLE_OK)
		why = "the answer is not complete";
	if (why)
		add_failure(&q->feed.buf, why);
	end_call(q);
	q->feed.is_ended = true;
}

void ui_server_flush(struct ui_server *s)
{
	/* feed_wake() does not call back: queries stay where they are. */
	for (struct ui_query *q = s->queries; q; q = q->next)
		if (feed_waiting(&q->feed) || q->feed.is_ended)
			feed_wake(&q->feed);
	if (s->queries)
		httpd_flush(s->httpd);
}

static enum MHD_Result on_argument(void *ctx, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	(void)kind;
	if (strcmp(key, "follow") != 0 && strcmp(key, "capture") != 0)
		control_parameter(ctx, key, value ? value : "");
	return MHD_YES;
}

static enum MHD_Result answer_busy(struct MHD_Connection *c)
{
	return httpd_answer_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many questions at once",
				 &(struct httpd_field){MHD_HTTP_HEADER_RETRY_AFTER, "1"});
}

static enum MHD_Result ask_sidecar(struct ui_server *s, struct MHD_Connection *c, const char *path)
{
	struct ui_query *q = s->query_count < QUERIES_MAX ? calloc(1, sizeof(*q)) : NULL;
	struct control_question question = {.command = "ui",
					    .socket = s->options.socket,
					    .line = on_line,
					    .pause = on_pause,
					    .ctx = q};
	struct httpd_field fields[FIELDS];
	struct text text;

	if (!q)
		return answer_busy(c);
	text_init(&text);
	text_add(&text, path);
	(void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_argument, &text); /* a count */
	question.path = text.ptr;
	q->call = control_call_new(&question);
	text_release(&text);
	if (!q->call || curl_multi_add_handle(s->options.multi, control_call_handle(q->call))) {
		control_call_free(q->call);
		free(q);
		return answer_busy(c);
	}
	q->server = s;
	q->feed.connection = c;
	q->feed.fill = on_fill;
	q->feed.gone = on_gone;
	q->next = s->queries;
	s->queries = q;
	s->query_count++;
	fields_of(fields, NDJSON, NULL);
	return feed_answer_fields(&q->feed, fields, FIELDS);
}

/* --- what is here -------------------------------------------------------------------- */

static enum MHD_Result answer_lines(struct MHD_Connection *c, const struct ui_lines *lines)
{
	const char *word = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "from");
	struct httpd_field fields[FIELDS];
	uint64_t from = 0;
	struct text body;

	if (word && value_number(word, &from))
		return httpd_answer_line(c, MHD_HTTP_BAD_REQUEST, "from: not a number", NULL);
	text_init(&body);
	ui_lines_write(lines, &body, from);
	fields_of(fields, NDJSON, NULL);
	return httpd_answer(c, MHD_HTTP_OK, &body, fields, FIELDS);
}

static enum MHD_Result answer_asset(struct MHD_Connection *c, const char *url,
				    const char *set_cookie)
{
	const struct ui_asset *asset = ui_asset_find(url);
	struct httpd_field fields[FIELDS];
	struct MHD_Response *r;

	if (!asset)
		return httpd_answer_line(c, MHD_HTTP_NOT_FOUND, "there is no such file", NULL);
	r = MHD_create_response_from_buffer(asset->body.len, (void *)(uintptr_t)asset->body.ptr,
					    MHD_RESPMEM_PERSISTENT);
	if (!r)
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	fields_of(fields, asset->type, set_cookie);
	return httpd_queue(c, MHD_HTTP_OK, r, fields, FIELDS);
}

/* The last browser to say so decides for all. */
static void note_capture(struct ui_server *s, struct MHD_Connection *c)
{
	const char *word = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "capture");

	if (word)
		s->headers_until_ms = strcmp(word, "1") == 0 ? uv_now(s->loop) + HEADERS_MS : 0;
}

bool ui_server_wants_headers(const struct ui_server *s)
{
	return uv_now(s->loop) < s->headers_until_ms;
}

static enum MHD_Result answer(struct ui_server *s, struct MHD_Connection *c, const char *url)
{
	s->asked_ms = uv_now(s->loop);
	if (strcmp(url, "/api/windows") == 0)
		return answer_lines(c, s->options.windows);
	if (strcmp(url, "/api/past") == 0)
		return answer_lines(c, s->options.past);
	if (strcmp(url, "/api/requests") == 0) {
		note_capture(s, c);
		return ask_sidecar(s, c, "/requests");
	}
	if (strcmp(url, "/api/syscalls") == 0)
		return ask_sidecar(s, c, "/syscalls");
	if (strcmp(url, "/api/settings") == 0)
		return ask_sidecar(s, c, "/settings");
	return answer_asset(c, url, NULL);
}

/* --- admission ----------------------------------------------------------------------- */

void ui_server_show_link(struct ui_server *s)
{
	char url[sizeof("http://127.0.0.1:65535/?token=") + UI_SECRET_SIZE];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/?token=%s", httpd_port(s->httpd),
		       s->access.token); /* has room */
	s->options.link(s->options.ctx, url);
}

/* The next browser needs another token; without one there is none for it. */
static enum MHD_Result admit(struct ui_server *s, struct MHD_Connection *c)
{
	char cookie[UI_COOKIE_SIZE + UI_SECRET_SIZE + 64];

	(void)snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict",
		       s->access.cookie, s->access.session); /* has room */
	s->access.token[0] = '\0';
	if (ui_access_renew_token(&s->access) == 0)
		ui_server_show_link(s);
	s->asked_ms = uv_now(s->loop);
	return answer_asset(c, "/", cookie);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url)
{
	struct ui_server *s = ctx;
	const struct ui_visit visit = {
		.host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST),
		.fetch_site = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Sec-Fetch-Site"),
		.session = MHD_lookup_connection_value(c, MHD_COOKIE_KIND, s->access.cookie),
		.token = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "token"),
		.is_page = strcmp(url, "/") == 0};

	switch (ui_access_check(&s->access, &visit)) {
	case UI_ADMITTED:
		return answer(s, c, url);
	case UI_ADMITTED_BY_TOKEN:
		return admit(s, c);
	case UI_WRONG_HOST:
		return httpd_answer_line(c, MHD_HTTP_FORBIDDEN,
					 "this server is called 127.0.0.1 or localhost only", NULL);
	case UI_REFUSED:
	default:
		return httpd_answer_line(
			c, MHD_HTTP_FORBIDDEN,
			"open the link that \"sidelight ui\" has printed last; each "
			"one opens one browser",
			NULL);
	}
}

struct ui_server *ui_server_new(uv_loop_t *loop, const struct ui_server_options *options,
				const char **ret_error)
{
	struct ui_server *s = calloc(1, sizeof(*s));
	char listen[sizeof("127.0.0.1:65535")];
	int err;

	*ret_error = "no memory";
	if (!s)
		return NULL;
	s->options = *options;
	s->loop = loop;
	s->asked_ms = uv_now(loop);
	err = ui_access_init(&s->access);
	if (err) {
		*ret_error = strerror(-err);
		free(s);
		return NULL;
	}
	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", options->port); /* has room */
	s->httpd = httpd_new(loop,
			     &(struct httpd_options){.listen = listen,
						     .has_feeds = true,
						     .connections_max = CONNECTIONS_MAX,
						     .idle_seconds = IDLE_SECONDS,
						     .request = on_request,
						     .ctx = s},
			     ret_error);
	if (s->httpd)
		return s;
	free(s);
	return NULL;
}

void ui_server_close(struct ui_server *s)
{
	if (!s)
		return;
	for (struct ui_query *q = s->queries; q; q = q->next)
		q->feed.is_ended = true;
	/* A connection that rests must not be stopped. */
	ui_server_flush(s);
	httpd_close(s->httpd);
	free(s);
}

uint64_t ui_server_asked_ms(const struct ui_server *s)
{
	return s->asked_ms;
}
