/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the numbers of a running sidecar: scrapers, a Pushgateway, a receiver of OTLP. */
#ifndef SIDELIGHT_CMD_EXPORTS_H
#define SIDELIGHT_CMD_EXPORTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent/labels.h"
#include "agent/resource.h"
#include "cmd/options.h"
#include "export/otlp.h"
#include "export/push.h"
#include "export/scrape.h"
#include "metrics/otlp_metrics.h"
#include "metrics/registry.h"
#include "metrics/self_metrics.h"

/* Everything is borrowed until exports_close(). */
struct exports_options {
	const struct options *command_line;
	const struct labels *labels;
	struct registry *registry;
	void (*before)(void *ctx); /* called before the registry is read */
	const char *(*unready)(void *ctx); /* NULL if ready, else why not */
	void *ctx;
};

/* NULL: not wanted, or closed. Zeroed, it has nothing. */
struct exports {
	struct scrape *scrape;
	struct push *push;
	struct otlp *otlp;
	struct otlp_metrics *otlp_metrics;
	struct resource resource; /* these two are for otlp */
	struct pairs headers;
	void (*done)(void *ctx);
	void *ctx;
};

/* Returns 0, or negative errno after one log line. To be closed in either case. Not to be moved. */
int exports_open(struct exports *x, uv_loop_t *loop, const struct exports_options *o);

/* Before somebody reads the registry: what they did is in it. */
void exports_refresh(struct exports *x, struct self_metrics *self);

/*
 * The last push and the last export, both within deadline_ms; then calls done, from the loop or at
 * once. Scrapers are still served.
 */
void exports_stop(struct exports *x, uint64_t deadline_ms, void (*done)(void *ctx), void *ctx);

/* Gives up whatever is under way. Memory goes when the loop has run. Any number of times. */
void exports_close(struct exports *x);

/* Once the registry is not read any more. */
void exports_release(struct exports *x);

#endif
