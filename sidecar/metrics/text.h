/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry as text: Prometheus 0.0.4 (what a gateway takes) and
 * OpenMetrics 1.0 (what a scraper may ask for).
 *
 * OpenMetrics differs in this: counter families are named without `_total`,
 * families with a unit say so, `le` is written as a float, buckets have
 * exemplars, and the last line is `# EOF`. `_created` samples are only written where the registry
 * says so: most scrapers store each as one more series.
 */
#ifndef SIDELIGHT_METRICS_TEXT_H
#define SIDELIGHT_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "metrics/registry.h"

enum text_format { TEXT_PROMETHEUS, TEXT_OPENMETRICS };

#define TEXT_PROMETHEUS_TYPE  "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* One label that every series carries, unless its family has one of that name.
 * Label names are ours and valid; values may hold anything. */
struct label {
	const char *name;
	const char *value; /* "" is left out */
};

/* Appends all families that have series. Check out->has_failed afterwards. */
void text_encode(struct text *out, const struct registry *r, enum text_format format,
		 const struct label *constants, size_t constant_count);

/* Receives the next part of the text, borrowed during the call. Returns false to stop. */
typedef bool (*text_part_fn)(void *ctx, struct span part);

/*
 * Like text_encode(), but hands the text over in parts of about 8 KiB, so that it never stands
 * whole in memory. Returns false if memory ran out or fn stopped it: then the text is cut short.
 */
bool text_encode_parts(const struct registry *r, enum text_format format,
		       const struct label *constants, size_t constant_count, text_part_fn fn,
		       void *ctx);

/* Appends value as it stands between the quotes of a label. */
void text_add_label_value(struct text *out, const char *value);

/* Appends the shortest decimal that reads back as the same double; `+Inf`, `-Inf`, `NaN`. */
void text_add_double(struct text *out, double value);

#endif
