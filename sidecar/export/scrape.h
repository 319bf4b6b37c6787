/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server for scrapers and probes: /metrics, /healthz, /readyz.
 *
 * It lives in the caller's loop, without a thread, and does nothing at all while nobody is
 * connected.
 *
 * Clients may be hostile: connections are capped, and when the last place is taken, the connection
 * that asked nothing for the longest time is closed, so that nobody can keep others out. All
 * clients share a few pages (snapshots.h), so memory does not grow with the number of readers.
 */
#ifndef SIDELIGHT_EXPORT_SCRAPE_H
#define SIDELIGHT_EXPORT_SCRAPE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "metrics/registry.h"
#include "metrics/scrape_stats.h"
#include "metrics/text.h"

struct scrape;

/* Everything is borrowed until scrape_close(). */
struct scrape_options {
	const char *listen; /* HOST:PORT, [ADDRESS]:PORT or :PORT; port 0 takes a free one */
	const struct registry *registry;
	const struct label *labels; /* on every series */
	size_t label_count;
	uint64_t max_age_ms; /* clients that ask within it share a page */
	/* All may be NULL. Called before the registry is read. */
	void (*before)(void *ctx);
	/* NULL if ready, else why not, in a few words. */
	const char *(*unready)(void *ctx);
	void *ctx;
};

/* Listens. NULL: *ret_error says why in a few words; valid until the next call of anything. */
struct scrape *scrape_new(uv_loop_t *loop, const struct scrape_options *options,
			  const char **ret_error);

/* Stops listening and closes all connections. Memory goes when the loop has run. Accepts NULL. */
void scrape_close(struct scrape *s);

uint16_t scrape_port(const struct scrape *s);

/* What happened so far; valid until the next call. */
const struct scrape_stats *scrape_stats(struct scrape *s);

#endif
