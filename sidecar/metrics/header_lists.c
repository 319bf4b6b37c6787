/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/header_lists.h"

static const char *const labels[] = {"result"};

static const struct family_desc desc = {
	.name = "sidelight_header_lists_total",
	.help = "Header lists of gRPC-Go for connections that are older than sidelight.",
	.type = METRIC_COUNTER,
	.label_names = labels,
	.label_count = 1};

struct family *header_lists_family(struct registry *r)
{
	return registry_family(r, &desc);
}

static void set(struct family *f, const char *result, uint64_t count)
{
	if (count)
		series_set(family_series(f, &result), (double)count);
}

void header_lists_refresh(struct family *f, const struct engine_stats *engine, uint64_t lost)
{
	set(f, "lost", lost);
	for (unsigned i = 0; i < ENGINE_LIST_MAX; i++)
		set(f, engine_list_name(i), engine->header_lists[i]);
}
