/* SPDX-License-Identifier: Apache-2.0 */
#include "export/unseen.h"

#include <inttypes.h>

#include "proto/not_http.h"

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* One kind among `total` connections; n may be 0. */
static void add_kind(struct text *out, uint64_t n, uint64_t total, const char *verb,
		     const char *kind)
{
	if (n == 0)
		return;
	if (n >= total && total > 1)
		text_addf(out, ", all %s%s", verb, kind);
	else if (n >= total)
		text_addf(out, ", %s%s", *verb ? "looks like " : "", kind);
	else
		text_addf(out, ", %" PRIu64 " %s%s", n, verb, kind);
}

/* Connections on which data was seen. */
static void add_kinds(struct text *out, const struct engine_stats *stats)
{
	uint64_t total = stats->conns_total;
	uint64_t tls = engine_stats_tls_dark(stats);
	uint64_t named = tls;

	text_addf(out, "%" PRIu64 " connection%s", total, plural(total));
	for (size_t i = NOT_HTTP_NONE + 1; i < NOT_HTTP_MAX; i++) {
		add_kind(out, stats->conns_not_http[i], total, "look like ",
			 not_http_name((enum not_http)i));
		named += stats->conns_not_http[i];
	}
	add_kind(out, tls, total, "", "TLS");
	if (named < total)
		text_addf(out, ", %" PRIu64 " with no complete HTTP request", total - named);
}

void unseen_add(struct text *out, const struct engine_stats *stats,
		const struct no_requests_world *world)
{
	uint64_t opened = world->opened;
	uint64_t lost = 0;

	text_add(out, "no HTTP requests seen: ");
	if (stats->conns_total)
		add_kinds(out, stats);
	else if (opened)
		text_addf(out, "%" PRIu64 " connection%s, %s carried data", opened, plural(opened),
			  opened == 1 ? "which has not" : "none of which has");
	else
		text_add(out, "no connections that carried data");
	for (size_t i = 0; i < ENGINE_LOST_MAX; i++)
		lost += stats->lost[i];
	if (lost)
		text_addf(out, "; %" PRIu64 " request%s lost", lost, plural(lost));
	if (world->unseen)
		text_addf(out, "; %" PRIu64 " socket%s whose traffic passes no hook", world->unseen,
			  plural(world->unseen));
}
