/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/no_requests.h"

static const char *const labels[] = {"reason"};

static const struct family_desc desc = {
	.name = "sidelight_no_requests",
	.help = "1: no HTTP request has been seen, for this reason.",
	.type = METRIC_GAUGE,
	.label_names = labels,
	.label_count = 1,
};

static const char *const names[NO_REQUESTS_MAX] = {
	[NO_REQUESTS_UNSEEN] = "unseen_sockets", [NO_REQUESTS_NO_CONNECTION] = "no_connection",
	[NO_REQUESTS_NO_DATA] = "no_data",	 [NO_REQUESTS_TLS] = "tls",
	[NO_REQUESTS_NOT_HTTP] = "not_http",	 [NO_REQUESTS_INCOMPLETE] = "incomplete",
};

enum no_requests no_requests_reason(const struct engine_stats *stats,
				    const struct no_requests_world *world)
{
	uint64_t other = engine_stats_tls_dark(stats);

	if (stats->transactions)
		return NO_REQUESTS_MAX;
	if (world->unseen)
		return NO_REQUESTS_UNSEEN;
	if (!stats->conns_total)
		return world->opened ? NO_REQUESTS_NO_DATA : NO_REQUESTS_NO_CONNECTION;
	if (other >= stats->conns_total)
		return NO_REQUESTS_TLS;
	for (int i = NOT_HTTP_NONE + 1; i < NOT_HTTP_MAX; i++)
		other += stats->conns_not_http[i];
	return other >= stats->conns_total ? NO_REQUESTS_NOT_HTTP : NO_REQUESTS_INCOMPLETE;
}

struct family *no_requests_family(struct registry *r)
{
	struct family *f = registry_family(r, &desc);

	for (size_t i = 0; f && i < NO_REQUESTS_MAX; i++)
		(void)family_series(f, &names[i]); /* each is there from the beginning */
	return f;
}

void no_requests_set(struct family *f, enum no_requests reason)
{
	family_clear(f);
	if (reason != NO_REQUESTS_MAX)
		series_set(family_series(f, &names[reason]), 1);
}
