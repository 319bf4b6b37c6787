/* SPDX-License-Identifier: Apache-2.0 */
#include "export/route_stream.h"

#include <stdlib.h>

#include "export/feed.h"
#include "export/httpd.h"
#include "export/json.h"
#include "metrics/summary.h"

/* A client that does not read gets no more windows until it does. */
#define WAITING_MAX (256u << 10)

struct route_reader {
	struct feed feed; /* first */
	struct route_streams *streams;
	struct route_reader *next;
	uv_timer_t timer;
	struct summary *summary; /* of the window at hand; NULL: no memory for one */
	uint64_t window_ms;
	uint64_t began_ns;
	bool is_following;
};

static void stop_counting(struct route_reader *r)
{
	if (!r->summary)
		return;
	engine_remove_sink(r->streams->engine, &summary_sink, r->summary);
	summary_free(r->summary);
	r->summary = NULL;
}

static bool count_anew(struct route_reader *r)
{
	stop_counting(r);
	r->began_ns = uv_hrtime();
	r->summary = summary_new(ROUTE_ROWS_MAX);
	if (!r->summary)
		return false;
	if (engine_add_sink(r->streams->engine, &summary_sink, r->summary) == 0)
		return true;
	summary_free(r->summary);
	r->summary = NULL;
	return false;
}

/* One member of "statuses"; *comma precedes it. */
static void add_count(struct text *out, const char **comma, const char *name, uint64_t count)
{
	if (!count)
		return;
	text_addf(out, "%s\"%s\":%llu", *comma, name, (unsigned long long)count);
	*comma = ",";
}

static void add_statuses(struct text *out, const struct summary_row *row)
{
	char digits[GRPC_STATUS_SIZE];
	const char *comma = "";

	text_add(out, ",\"statuses\":{");
	for (size_t i = 0; i < SUMMARY_STATUSES; i++)
		add_count(out, &comma, summary_status_name(row, row->status[i].status, digits),
			  row->status[i].count);
	add_count(out, &comma, "other", row->status_other);
	for (int e = TXN_OK + 1; e < TXN_ERROR_MAX; e++)
		add_count(out, &comma, txn_error_name((enum txn_error)e), row->failed[e]);
	text_add(out, "}}");
}

static void add_row(struct text *out, const struct summary_row *row, double seconds)
{
	const struct latency *l = &row->latency;

	text_addf(out, "{\"role\":\"%s\"", row->role == ROLE_CLIENT ? "client" : "server");
	json_escaped(out, "method", span_of(row->method));
	json_escaped(out, "route", span_of(row->route));
	json_number(out, "requests", l->count, true);
	text_addf(out, ",\"rate\":%.3f", (double)l->count / seconds);
	json_number(out, "errors", row->errors, true);
	json_number(out, "p50_ns", latency_quantile(l, .5), true);
	json_number(out, "p90_ns", latency_quantile(l, .9), true);
	json_number(out, "p99_ns", latency_quantile(l, .99), true);
	json_number(out, "max_ns", l->max_ns, true);
	add_statuses(out, row);
}

static void add_window(struct text *out, const struct route_reader *r)
{
	const struct engine_stats *e = engine_stats(r->streams->engine);
	double seconds = (double)(uv_hrtime() - r->began_ns + 1) / 1e9;
	uint64_t requests = 0;

	for (size_t i = 0; i < summary_row_count(r->summary); i++)
		requests += summary_row(r->summary, i)->latency.count;
	text_addf(out,
		  "{\"seconds\":%.3f,\"requests\":%llu,\"requests_open\":%llu,"
		  "\"connections_open\":%llu,\"routes\":[",
		  seconds, (unsigned long long)requests, (unsigned long long)e->requests_open,
		  (unsigned long long)e->conns_open);
	for (size_t i = 0; i < summary_row_count(r->summary); i++) {
		if (i)
			text_add_char(out, ',');
		add_row(out, summary_row(r->summary, i), seconds);
	}
	text_add(out, "]}\n");
}

/* Returns false if the client has not read the windows before, or memory is short. */
static bool send_window(struct route_reader *r)
{
	struct text *buf = &r->feed.buf;
	size_t before = buf->len;

	if (feed_waiting(&r->feed) >= WAITING_MAX || !r->summary)
		return false;
	add_window(buf, r);
	if (!buf->has_failed)
		return true;
	buf->has_failed = false;
	text_truncate(buf, before);
	return false;
}

static void end_window(struct route_reader *r)
{
	r->streams->catch_up(r->streams->ctx);
	if (!send_window(r))
		r->streams->stats->windows_lost++;
	if (!r->is_following || !count_anew(r)) {
		r->feed.is_ended = true;
		(void)uv_timer_stop(&r->timer); /* cannot fail */
	}
	feed_wake(&r->feed);
}

static void on_window(uv_timer_t *timer)
{
	struct route_reader *r = timer->data;
	struct httpd *httpd = r->streams->httpd;

	end_window(r);
	httpd_flush(httpd); /* r may be gone then */
}

static void on_fill(struct feed *f)
{
	(void)f; /* the timer does it */
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_gone(struct feed *f)
{
	struct route_reader *r = (struct route_reader *)f;
	struct route_reader **at = &r->streams->readers;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->streams->count--;
	stop_counting(r);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}

enum MHD_Result route_streams_answer(struct route_streams *s, struct MHD_Connection *c,
				     uint64_t window_ms, bool is_following)
{
	struct route_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return MHD_NO; /* closes the connection: there is no memory for an answer */
	r->streams = s;
	r->window_ms = window_ms;
	r->is_following = is_following;
	r->feed.connection = c;
	r->feed.fill = on_fill;
	r->feed.gone = on_gone;
	if (!count_anew(r)) {
		free(r);
		return MHD_NO;
	}
	(void)uv_timer_init(s->loop, &r->timer); /* cannot fail, as the next */
	r->timer.data = r;
	(void)uv_timer_start(&r->timer, on_window, window_ms, window_ms);
	r->next = s->readers;
	s->readers = r;
	s->count++;
	return feed_answer(&r->feed, "application/x-ndjson");
}

void route_streams_end(struct route_streams *s)
{
	for (struct route_reader *r = s->readers; r; r = r->next) {
		r->is_following = false;
		end_window(r);
	}
	httpd_flush(s->httpd);
}
