/* SPDX-License-Identifier: Apache-2.0 */
#include "export/scrape.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/httpd.h"
#include "export/accept.h"
#include "export/gzip.h"

#define CONNECTIONS_MAX 16
#define IDLE_SECONDS	75u /* longer than a minute between scrapes */
#define GZIP_FROM	1024u /* bytes; what fits a packet anyway is not compressed */

struct scrape {
	struct scrape_options options;
	struct httpd *httpd;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, struct text *body,
			      const char *type, const char *field, const char *value)
{
	struct httpd_field fields[] = {{MHD_HTTP_HEADER_CONTENT_TYPE, type}, {field, value}};

	return httpd_answer(c, status, body, fields, 2);
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

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **request)
{
	static char started;
	struct scrape *s = ctx;
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
	httpd_asked(s->httpd, c);
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

struct scrape *scrape_new(uv_loop_t *loop, const struct scrape_options *options,
			  const char **ret_error)
{
	struct scrape *s = calloc(1, sizeof(*s));

	if (!s) {
		*ret_error = "no memory";
		return NULL;
	}
	s->options = *options;
	s->httpd = httpd_new(loop,
			     &(struct httpd_options){.listen = options->listen,
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

void scrape_close(struct scrape *s)
{
	if (!s)
		return;
	httpd_close(s->httpd);
	free(s);
}

uint16_t scrape_port(const struct scrape *s)
{
	return httpd_port(s->httpd);
}

uint64_t scrape_evicted(const struct scrape *s)
{
	return httpd_evicted(s->httpd);
}
