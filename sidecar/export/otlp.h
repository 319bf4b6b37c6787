/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry, sent to a receiver of OTLP/HTTP again and again, as the schedule (schedule.h) has
 * it. One export at a time is under way.
 *
 * Values are cumulative, so an export that fails loses nothing: the next one brings all of them. So
 * "to be tried again" means that the next one comes sooner than after an interval: after answers
 * of the status 429, 502, 503 and 504, not before the time that they ask for (at most
 * OTLP_RETRY_AFTER_MAX_S), and where there was no answer. After any other answer the next one comes
 * an interval later. Points that the receiver rejects are counted.
 *
 * One line is logged when the outcome changes its kind, not for every export. Values of header
 * fields are never logged.
 */
#ifndef SIDELIGHT_EXPORT_OTLP_H
#define SIDELIGHT_EXPORT_OTLP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/pairs.h"
#include "export/otlp_encode.h"
#include "metrics/otlp_stats.h"
#include "metrics/registry.h"

#define OTLP_RETRY_AFTER_MAX_S 600u

struct otlp;

/* Everything is borrowed until otlp_close(). Strings may be NULL unless it says otherwise. */
struct otlp_options {
	const char *url; /* not NULL: http:// or https:// */
	bool is_base; /* of the URL: /v1/metrics is to be appended */
	bool is_plain; /* not compressed */
	uint64_t interval_ms;
	uint64_t timeout_ms; /* of one export */
	const char *ca; /* files in PEM */
	const char *cert;
	const char *key;
	const char *token_file; /* read again for each export */
	const struct pairs *headers; /* not NULL: to be sent, too */
	const struct otlp_resource *resource; /* not NULL */
	const struct registry *registry;
	void (*before)(void *ctx); /* called before the registry is read; NULL: nothing to do */
	void *ctx;
};

/* NULL: *ret_error says why, in static text. */
struct otlp *otlp_new(uv_loop_t *loop, const struct otlp_options *options, const char **ret_error);

/* What happened so far; valid until the next call on x. */
const struct otlp_stats *otlp_stats(struct otlp *x);

/* Exports a last time within deadline_ms; then calls done, from the loop, which may close it. Once
 * per struct otlp. */
void otlp_stop(struct otlp *x, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx);

/* Gives up whatever is under way. Memory goes when the loop has run. Accepts NULL. */
void otlp_close(struct otlp *x);

#endif
