/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry, put into a Pushgateway again and again.
 *
 * One transfer at a time is under way, as the schedule (schedule.h) has it:
 *
 *   PUT      the push
 *   STATUS   after some pushes in text: is the gateway one that takes protobuf (push_format.h)?
 *   CHECK    now and then: the time of a push is read from the gateway (group_watch.h) right after
 *            it, and again when the next one is due, which begins after that
 *   DELETE   after the last push: the group is being removed
 *
 * Every push replaces the whole group by everything we know, so a push that
 * fails loses nothing: counters go on, and the next one brings them.
 *
 * One line is logged when the outcome changes its kind, not for every push.
 */
#ifndef SIDELIGHT_EXPORT_PUSH_H
#define SIDELIGHT_EXPORT_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "metrics/push_stats.h"
#include "metrics/registry.h"
#include "metrics/text.h"

struct push;

/* Everything is borrowed until push_close(). Strings may be NULL unless it says otherwise. */
struct push_options {
	const char *url; /* not NULL: http:// or https://, perhaps with a path */
	uint64_t interval_ms;
	uint64_t timeout_ms; /* of one push */
	bool keeps_on_exit; /* leave the group in the gateway */
	bool needs_protobuf; /* the text would not have all; else push_format.h decides */
	const char *ca; /* files in PEM */
	const char *cert;
	const char *key;
	const char *user_file; /* user:password; read again for each push, as is the token */
	const char *token_file;
	const struct label *group; /* the grouping key: job, not empty, comes first */
	size_t group_count;
	const struct label *labels; /* on every series; those in the grouping key are left out */
	size_t label_count;
	const struct registry *registry;
	void (*before)(void *ctx); /* called before the registry is read; NULL: nothing to do */
	void *ctx;
};

/* NULL: *ret_error says why, in static text. */
struct push *push_new(uv_loop_t *loop, const struct push_options *options, const char **ret_error);

/* What happened so far; valid until the next call on p. */
const struct push_stats *push_stats(struct push *p);

/*
 * Sets the interval and restarts it: the next push comes one interval from now. A push that waits
 * after a failure keeps its time.
 */
void push_set_interval(struct push *p, uint64_t interval_ms);

/*
 * Pushes a last time and removes the group, unless it is kept, all within
 * deadline_ms; then calls done, from the loop, which may close it. Once per
 * struct push.
 */
void push_stop(struct push *p, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx);

/* Gives up whatever is under way. Memory goes when the loop has run. Accepts NULL. */
void push_close(struct push *p);

#endif
