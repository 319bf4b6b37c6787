/* SPDX-License-Identifier: Apache-2.0 */
#include "export/route_window.h"

#include <string.h>
#include <time.h>
#include <uv.h>

#include "export/json.h"
#include "export/transaction_text.h"

static const char *const words[SUMMARY_BY_MAX] = {
	[SUMMARY_BY_ROUTE] = "route",
	[SUMMARY_BY_PEER] = "peer",
	[SUMMARY_BY_PROCESS] = "process",
	[SUMMARY_BY_THREAD] = "thread",
};

const char *route_window_by_name(enum summary_by by)
{
	return words[by];
}

bool route_window_by(const char *word, enum summary_by *ret_by)
{
	for (int i = 0; i < SUMMARY_BY_MAX; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		*ret_by = (enum summary_by)i;
		return true;
	}
	return false;
}

bool route_window_open(struct route_window *w, struct engine *e, enum summary_by by)
{
	w->engine = e;
	w->began_ns = uv_hrtime();
	w->summary = summary_new(ROUTE_ROWS_MAX, by);
	if (!w->summary)
		return false;
	if (engine_add_sink(e, &summary_sink, w->summary) == 0)
		return true;
	summary_free(w->summary);
	w->summary = NULL;
	return false;
}

void route_window_close(struct route_window *w)
{
	if (!w->summary)
		return;
	engine_remove_sink(w->engine, &summary_sink, w->summary);
	summary_free(w->summary);
	w->summary = NULL;
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

/* null: it is known of no request. */
static void add_stages(struct text *out, const struct summary_row *row)
{
	text_add(out, ",\"stages\":{");
	for (int i = 0; i < STAGE_MAX; i++) {
		const struct stage_latency *l = &row->stage[i];
		uint64_t slowest = row->slowest.ns[i];

		text_addf(out, "%s\"%s\":{\"count\":%llu", i ? "," : "", stage_name((enum stage)i),
			  (unsigned long long)l->count);
		json_number(out, "p50_ns", stage_latency_quantile(l, .5), l->count);
		json_number(out, "p90_ns", stage_latency_quantile(l, .9), l->count);
		json_number(out, "p99_ns", stage_latency_quantile(l, .99), l->count);
		json_number(out, "slowest_ns", slowest,
			    row->latency.count && slowest != STAGE_UNKNOWN);
		text_add_char(out, '}');
	}
	text_add_char(out, '}');
}

/* A client's address has no port; the row for the rest has no address. */
static void add_peer(struct text *out, const struct summary_key *key)
{
	size_t start;

	text_add(out, ",\"peer\":\"");
	start = out->len;
	if (!key->peer.family)
		text_add(out, key->route);
	else
		transaction_text_endpoint(out, &key->peer);
	if (key->peer.family && !key->peer.port && out->len - start > 2)
		text_truncate(out, out->len - 2); /* ":0" */
	text_add_char(out, '"');
}

static void add_key(struct text *out, const struct summary_key *key, enum summary_by by)
{
	text_addf(out, "{\"role\":\"%s\"", key->role == ROLE_CLIENT ? "client" : "server");
	if (by == SUMMARY_BY_PEER) {
		add_peer(out, key);
		return;
	}
	if (by == SUMMARY_BY_PROCESS || by == SUMMARY_BY_THREAD) {
		json_number(out, "process", key->tgid, key->tgid);
		if (by == SUMMARY_BY_THREAD)
			json_number(out, "thread", key->tid, key->tid);
		json_bool(out, "is_rest", *key->route);
		return;
	}
	json_escaped(out, "method", span_of(key->method));
	json_escaped(out, "route", span_of(key->route));
}

/* Of latency.h's 32 buckets to each power of two, four become one; short times stand apart. */
#define BUCKETS_TOGETHER 4

static void add_durations(struct text *out, const struct latency *l)
{
	const char *comma = "";

	text_add(out, ",\"durations\":[");
	for (size_t i = 0; i < LATENCY_BUCKETS; i += BUCKETS_TOGETHER) {
		uint64_t low = latency_bucket_low(i);
		unsigned long long middle =
			low + (latency_bucket_low(i + BUCKETS_TOGETHER) - low) / 2;
		uint64_t count = 0;

		for (size_t k = 0; k < BUCKETS_TOGETHER; k++)
			count += l->bucket[i + k];
		if (!count)
			continue;
		text_addf(out, "%s[%llu,%llu]", comma, middle, (unsigned long long)count);
		comma = ",";
	}
	text_add_char(out, ']');
}

/* Of no request, nothing took no time at all. */
static void add_quantiles(struct text *out, const struct latency *l)
{
	json_number(out, "p50_ns", latency_quantile(l, .5), l->count);
	json_number(out, "p90_ns", latency_quantile(l, .9), l->count);
	json_number(out, "p99_ns", latency_quantile(l, .99), l->count);
}

static void add_row(struct text *out, const struct summary_row *row, enum summary_by by,
		    bool has_durations, double seconds)
{
	const struct latency *l = &row->latency;

	add_key(out, &row->key, by);
	json_number(out, "requests", l->count, true);
	text_addf(out, ",\"rate\":%.3f", (double)l->count / seconds);
	json_number(out, "errors", row->errors, true);
	json_number(out, "open", row->open, true);
	if (!has_durations)
		add_quantiles(out, l);
	json_number(out, "max_ns", l->max_ns, l->count);
	json_number(out, "request_bytes", row->request_bytes, true);
	json_number(out, "response_bytes", row->response_bytes, true);
	if (has_durations)
		add_durations(out, l);
	else
		add_stages(out, row);
	add_statuses(out, row);
}

static void on_open_request(void *ctx, const struct open_request *r)
{
	summary_open(ctx, r);
}

/* Nanoseconds since 1970, of a time of uv_hrtime(). */
static uint64_t wall_time(uint64_t at_ns)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - (uv_hrtime() - at_ns);
}

void route_window_add(struct text *out, struct route_window *w, enum summary_by by,
		      bool has_durations)
{
	const struct engine_stats *e = engine_stats(w->engine);
	double seconds = (double)(uv_hrtime() - w->began_ns + 1) / 1e9;
	uint64_t requests = 0;

	engine_each_open(w->engine, on_open_request, w->summary);
	for (size_t i = 0; i < summary_row_count(w->summary); i++)
		requests += summary_row(w->summary, i)->latency.count;
	text_addf(out,
		  "{\"began_ns\":%llu,\"seconds\":%.3f,\"requests\":%llu,\"requests_open\":%llu,"
		  "\"connections_open\":%llu,\"by\":\"%s\",\"routes\":[",
		  (unsigned long long)wall_time(w->began_ns), seconds, (unsigned long long)requests,
		  (unsigned long long)e->requests_open, (unsigned long long)e->conns_open,
		  words[by]);
	for (size_t i = 0; i < summary_row_count(w->summary); i++) {
		if (i)
			text_add_char(out, ',');
		add_row(out, summary_row(w->summary, i), by, has_durations, seconds);
	}
	text_add(out, "]}\n");
}
