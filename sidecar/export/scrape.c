/* SPDX-License-Identifier: Apache-2.0 */
#include "export/scrape.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "export/httpd.h"
#include "export/accept.h"
#include "export/snapshots.h"

#define CONNECTIONS_MAX 16
#define IDLE_SECONDS	75u /* longer than a minute between scrapes */

/* How much of a page is handed to the HTTP server at a time, for each connection. */
#define BLOCK_BYTES (64u << 10)

/*
 * What the kernel may keep for a connection in each direction; it doubles both, for its
 * administration. Without a limit, it is 4 MB that a client that does not read can make it keep.
 */
#define SOCKET_BYTES (64 << 10)

/* The kernel ends a connection whose client takes nothing for so long, even after we closed it. */
#define UNREAD_SECONDS 10u
/* What all clients may leave unread when their connections are closed. */
#define UNREAD_MAX (1u << 20)

struct scrape {
	struct scrape_options options;
	struct httpd *httpd;
	struct snapshots *snapshots;
	struct scrape_stats stats;
};

static ssize_t on_block(void *ctx, uint64_t at, char *buf, size_t len)
{
	ssize_t n = delivery_read(ctx, buf, len);

	(void)at; /* it reads from the beginning to the end */
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return n > 0 ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_delivered(void *ctx)
{
	delivery_free(ctx);
}

/* The values of all fields of one name, as one list (RFC 9110 section 5.3). */
struct field_list {
	const char *name;
	struct text values;
};

static enum MHD_Result on_field(void *ctx, enum MHD_ValueKind kind, const char *name,
				const char *value)
{
	struct field_list *list = ctx;

	(void)kind;
	if (value && strcasecmp(name, list->name) == 0) {
		text_add(&list->values, value);
		text_add_char(&list->values, ',');
	}
	return MHD_YES;
}

static void read_fields(struct MHD_Connection *c, struct field_list *list)
{
	text_init(&list->values);
	(void)MHD_get_connection_values(c, MHD_HEADER_KIND, on_field, list); /* a count */
}

static enum MHD_Result answer_page(struct scrape *s, struct MHD_Connection *c,
				   enum page_format format, enum page_coding coding)
{
	const struct httpd_field fields[] = {
		{MHD_HTTP_HEADER_CONTENT_TYPE, page_type(format)},
		{MHD_HTTP_HEADER_CONTENT_ENCODING, coding == PAGE_GZIP ? "gzip" : NULL},
		{MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding"},
	};
	struct delivery *d = delivery_new(s->snapshots, format, coding, httpd_fd(c));
	struct MHD_Response *r;
	uint64_t len;

	if (!d)
		return httpd_answer_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory",
					 &(struct httpd_field){MHD_HTTP_HEADER_RETRY_AFTER, "1"});
	len = delivery_length(d);
	r = MHD_create_response_from_callback(len, len < BLOCK_BYTES ? len : BLOCK_BYTES, on_block,
					      d, on_delivered);
	if (!r) {
		delivery_free(d);
		return MHD_NO;
	}
	return httpd_queue(c, MHD_HTTP_OK, r, fields, sizeof(fields) / sizeof(fields[0]));
}

static enum MHD_Result answer_metrics(struct scrape *s, struct MHD_Connection *c)
{
	struct field_list accept = {.name = MHD_HTTP_HEADER_ACCEPT};
	struct field_list encoding = {.name = MHD_HTTP_HEADER_ACCEPT_ENCODING};
	enum accept_coding coding;
	enum page_format format;

	read_fields(c, &accept);
	read_fields(c, &encoding);
	format = accept_format(accept.values.ptr);
	coding = accept_coding(encoding.values.ptr);
	text_release(&accept.values);
	text_release(&encoding.values);
	if (coding == ACCEPT_NOTHING)
		return httpd_answer_line(c, MHD_HTTP_NOT_ACCEPTABLE, "only gzip and identity",
					 NULL);
	return answer_page(s, c, format, coding == ACCEPT_GZIP ? PAGE_GZIP : PAGE_IDENTITY);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url)
{
	struct scrape *s = ctx;
	const char *why = NULL;

	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(s, c);
	if (strcmp(url, "/healthz") == 0)
		return httpd_answer_line(c, MHD_HTTP_OK, "ok", NULL);
	if (strcmp(url, "/readyz") != 0)
		return httpd_answer_line(c, MHD_HTTP_NOT_FOUND, "try /metrics, /healthz or /readyz",
					 NULL);
	if (s->options.unready)
		why = s->options.unready(s->options.ctx);
	return httpd_answer_line(c, why ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
				 why ? why : "ready", NULL);
}

struct scrape *scrape_new(uv_loop_t *loop, const struct scrape_options *options,
			  const char **ret_error)
{
	struct scrape *s = calloc(1, sizeof(*s));

	*ret_error = "no memory";
	if (!s)
		return NULL;
	s->options = *options;
	s->httpd = httpd_new(loop,
			     &(struct httpd_options){.listen = options->listen,
						     .connections_max = CONNECTIONS_MAX,
						     .idle_seconds = IDLE_SECONDS,
						     .socket_bytes = SOCKET_BYTES,
						     .unread_seconds = UNREAD_SECONDS,
						     .unread_max = UNREAD_MAX,
						     .has_head = true,
						     .request = on_request,
						     .ctx = s},
			     ret_error);
	if (!s->httpd) {
		free(s);
		return NULL;
	}
	s->snapshots =
		snapshots_new(loop, &(struct snapshots_options){.registry = options->registry,
								.max_age_ms = options->max_age_ms,
								.labels = options->labels,
								.label_count = options->label_count,
								.before = options->before,
								.ctx = options->ctx,
								.cancel = httpd_reset,
								.stats = &s->stats});
	if (!s->snapshots) {
		*ret_error = "no memory";
		scrape_close(s);
		return NULL;
	}
	return s;
}

void scrape_close(struct scrape *s)
{
	if (!s)
		return;
	httpd_close(s->httpd); /* ends all deliveries */
	snapshots_close(s->snapshots);
	free(s);
}

uint16_t scrape_port(const struct scrape *s)
{
	return httpd_port(s->httpd);
}

const struct scrape_stats *scrape_stats(struct scrape *s)
{
	s->stats.evicted[SCRAPE_EVICT_CONNECTIONS] = httpd_evicted(s->httpd);
	s->stats.evicted[SCRAPE_EVICT_UNREAD] = httpd_discarded(s->httpd);
	return &s->stats;
}
