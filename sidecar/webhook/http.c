/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/httpd.h"
#include "webhook/cert.h"

/* Three API servers keep 25 idle connections each. */
#define CONNECTIONS_MAX 256
/* API servers drop idle connections after 90 s: they must be the first, because a review that
 * meets a closing connection is lost. */
#define IDLE_SECONDS   130u
#define ALL_BODIES_MAX (32u << 20)
#define OVERRUN_MAX    (4u << 20) /* read, and thrown away, of a body that nobody wants */

struct http {
	struct http_options options;
	struct httpd *httpd;
	bool is_draining;
	size_t body_bytes; /* of all uploads */
	unsigned uploads;
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

static enum MHD_Result answer(struct http *h, struct MHD_Connection *c,
			      const struct http_request *r, unsigned status)
{
	struct http_answer a = {.status = status, .type = "text/plain; charset=utf-8"};

	text_init(&a.body);
	h->options.answer(h->options.ctx, r, &a);
	return httpd_answer(c, a.status, &a.body,
			    (struct httpd_field[]){
				    {MHD_HTTP_HEADER_CONTENT_TYPE, a.type},
				    {MHD_HTTP_HEADER_ALLOW, a.allow},
				    {MHD_HTTP_HEADER_CONNECTION, h->is_draining ? "close" : NULL},
			    },
			    3);
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
	const char *length = field(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return MHD_NO;
	httpd_asked(h->httpd, c);
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

static void *hold(void)
{
	return cert_hold();
}

static void drop(void *cert)
{
	cert_drop(cert);
}

struct http *http_new(uv_loop_t *loop, const struct http_options *options, const char **ret_error)
{
	static char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	static struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)cert_choose},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, versions},
		{MHD_OPTION_END, 0, NULL},
	};
	struct http *h = calloc(1, sizeof(*h));

	if (!h) {
		*ret_error = "no memory";
		return NULL;
	}
	h->options = *options;
	h->httpd = httpd_new(loop,
			     &(struct httpd_options){.listen = options->listen,
						     .connections_max = CONNECTIONS_MAX,
						     .idle_seconds = IDLE_SECONDS,
						     .tls = options->has_tls ? tls : NULL,
						     .request = on_request,
						     .completed = on_completed,
						     .ctx = h,
						     .hold = options->has_tls ? hold : NULL,
						     .drop = drop},
			     ret_error);
	if (h->httpd)
		return h;
	free(h);
	return NULL;
}

uint16_t http_port(const struct http *h)
{
	return httpd_port(h->httpd);
}

unsigned http_connections(const struct http *h)
{
	return httpd_connections(h->httpd);
}

uint64_t http_evicted(const struct http *h)
{
	return httpd_evicted(h->httpd);
}

void http_drain(struct http *h)
{
	h->is_draining = true;
}

void http_stop_listening(struct http *h)
{
	httpd_stop_listening(h->httpd);
}

unsigned http_requests(const struct http *h)
{
	return h->uploads;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	httpd_close(h->httpd);
	free(h);
}
