/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages (page.h) that are shared by all clients that ask for them within max_age_ms, and their
 * delivery to each client.
 *
 * Invariants, true between any two calls:
 *   - at most SNAPSHOTS_MAX pages are in memory, however many clients read and however slowly;
 *   - a page of one format is made at most once in max_age_ms, and so rarely that making pages of
 *     it takes at most a sixty-fourth of the time, unless one would be older than ten seconds;
 *   - a delivery of which nothing was read for SNAPSHOTS_STALL_MS, or that is not over after
 *     SNAPSHOTS_SLOW_MS, is cancelled within a second. When a new page needs memory, the deliveries
 *     of the oldest page are cancelled: each has had at least max_age_ms (there is a page more than
 *     there are formats), or three times that if nobody asks for another format.
 *
 * The timer runs only while a page is in memory.
 */
#ifndef SIDELIGHT_EXPORT_SNAPSHOTS_H
#define SIDELIGHT_EXPORT_SNAPSHOTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "export/page.h"
#include "metrics/scrape_stats.h"

#define SNAPSHOTS_MAX	   4
#define SNAPSHOTS_STALL_MS 5000u
#define SNAPSHOTS_SLOW_MS  20000u

struct snapshots;
struct delivery;

/* Everything is borrowed until snapshots_close(). */
struct snapshots_options {
	const struct registry *registry;
	const struct label *labels;
	size_t label_count;
	uint64_t max_age_ms; /* a page that is older is not handed out */
	/* Called before the registry is read; may be NULL. */
	void (*before)(void *ctx);
	void *ctx; /* of before */
	/* Ends the client's connection, which was said in delivery_new(). */
	void (*cancel)(int fd);
	struct scrape_stats *stats;
};

/* NULL: no memory. */
struct snapshots *snapshots_new(uv_loop_t *loop, const struct snapshots_options *options);
/* No delivery may be left. Memory goes when the loop has run. Accepts NULL. */
void snapshots_close(struct snapshots *s);

/* Begins the delivery of a page that is fresh. NULL: no memory. */
struct delivery *delivery_new(struct snapshots *s, enum page_format format, enum page_coding coding,
			      int fd);
/* Accepts NULL. */
void delivery_free(struct delivery *d);

/* Bytes in total. */
uint64_t delivery_length(const struct delivery *d);

/* As page_read(); -ECANCELED after a cancellation. */
ssize_t delivery_read(struct delivery *d, char *buf, size_t len);

#endif
