/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/stats.h"

#include <inttypes.h>

static const uint64_t bounds_us[STATS_BUCKETS] = {100, 250, 500, 1000, 2500, 5000, 10000, 100000};
static const char *const targets[] = {"pod", "workload"};
static const char *const refusals[REFUSED_MAX] = {"method", "content_type", "size", "busy",
						  "malformed"};

void stats_count(struct stats *s, enum review_target target, enum review_result result,
		 uint64_t duration_ns)
{
	size_t i = 0;

	while (i < STATS_BUCKETS && duration_ns > bounds_us[i] * 1000)
		i++;
	s->buckets[i]++;
	s->duration_ns += duration_ns;
	s->reviews[target][result]++;
}

static void head(struct text *out, const char *name, const char *type, const char *help)
{
	text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void value(struct text *out, const char *name, const char *type, const char *help,
		  uint64_t n)
{
	head(out, name, type, help);
	text_addf(out, "%s %" PRIu64 "\n", name, n);
}

static void print_durations(const struct stats *s, struct text *out)
{
	uint64_t count = 0;

	head(out, "sidelight_webhook_review_duration_seconds", "histogram",
	     "Time from the whole review to its answer.");
	for (size_t i = 0; i < STATS_BUCKETS; i++) {
		count += s->buckets[i];
		text_addf(out,
			  "sidelight_webhook_review_duration_seconds_bucket{le=\"%g\"} %" PRIu64
			  "\n",
			  (double)bounds_us[i] / 1e6, count);
	}
	count += s->buckets[STATS_BUCKETS];
	text_addf(out,
		  "sidelight_webhook_review_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
		  "sidelight_webhook_review_duration_seconds_sum %.9f\n"
		  "sidelight_webhook_review_duration_seconds_count %" PRIu64 "\n",
		  count, (double)s->duration_ns / 1e9, count);
}

static void print_dropped(const struct stats_state *state, struct text *out)
{
	uint64_t evicted = 0;

	for (int i = DROP_SILENT; i <= DROP_MEMORY; i++)
		evicted += state->dropped[i];
	value(out, "sidelight_webhook_connections_evicted_total", "counter",
	      "Connections ended to make room for others.", evicted);
	head(out, "sidelight_webhook_connections_dropped_total", "counter",
	     "Connections that the server ended, by reason; the first six are evictions.");
	for (int i = 0; i < DROP_MAX; i++)
		text_addf(out,
			  "sidelight_webhook_connections_dropped_total{reason=\"%s\"} %" PRIu64
			  "\n",
			  http_drop_reasons[i], state->dropped[i]);
}

static void print_memory(const struct stats_state *state, struct text *out)
{
	value(out, "sidelight_webhook_json_bytes", "gauge", "Memory that parsed JSON takes.",
	      state->memory_bytes[BUDGET_JSON]);
	value(out, "sidelight_webhook_request_bytes", "gauge",
	      "Memory that requests and answers take that are on their way.",
	      state->memory_bytes[BUDGET_REQUESTS]);
	head(out, "sidelight_webhook_memory_refused_total", "counter",
	     "Times that a share of the memory budget was used up.");
	for (int i = 0; i < BUDGET_SHARE_MAX; i++)
		text_addf(out, "sidelight_webhook_memory_refused_total{share=\"%s\"} %" PRIu64 "\n",
			  budget_shares[i], state->memory_refused[i]);
}

void stats_print(const struct stats *s, const struct stats_state *state, struct text *out)
{
	head(out, "sidelight_webhook_reviews_total", "counter", "Reviews answered, by result.");
	for (size_t t = 0; t < 2; t++)
		for (size_t r = 0; r < RESULT_MAX; r++)
			text_addf(out,
				  "sidelight_webhook_reviews_total{target=\"%s\",result=\"%s\"} "
				  "%" PRIu64 "\n",
				  targets[t], review_results[r], s->reviews[t][r]);
	head(out, "sidelight_webhook_requests_refused_total", "counter",
	     "Requests for a review that were refused by their head or size.");
	for (size_t i = 0; i < REFUSED_MAX; i++)
		text_addf(out,
			  "sidelight_webhook_requests_refused_total{reason=\"%s\"} %" PRIu64 "\n",
			  refusals[i], s->refused[i]);
	print_durations(s, out);
	value(out, "sidelight_webhook_connections", "gauge", "Open connections.",
	      state->connections);
	value(out, "sidelight_webhook_requests_open", "gauge", "Requests in flight.",
	      state->requests);
	print_dropped(state, out);
	value(out, "sidelight_webhook_certificate_expiry_timestamp_seconds", "gauge",
	      "When the certificate in use ends.", (uint64_t)state->cert_expiry);
	head(out, "sidelight_webhook_certificate_reloads_total", "counter",
	     "Times that the certificate's files had changed.");
	text_addf(out,
		  "sidelight_webhook_certificate_reloads_total{result=\"ok\"} %" PRIu64 "\n"
		  "sidelight_webhook_certificate_reloads_total{result=\"failed\"} %" PRIu64 "\n",
		  s->reloads, s->reload_failures);
	print_memory(state, out);
	head(out, "sidelight_webhook_build_info", "gauge", "What it is.");
	text_addf(out, "sidelight_webhook_build_info{version=\"%s\",revision=\"%s\"} 1\n",
		  SIDELIGHT_VERSION, SIDELIGHT_REVISION);
}
