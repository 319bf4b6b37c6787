/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does anybody else write to our group of the Pushgateway? Whoever does replaces our series, and
 * we replace theirs.
 *
 * The gateway shows for each group when it was last pushed to (push_time_seconds). That time is
 * read after a push of ours, and again right before the next one: if it is another one then,
 * somebody else pushed to the group. No clocks are compared. If the group is gone, somebody
 * deleted it, or the gateway, which keeps it in memory, was started anew.
 *
 * The gateway has no page of one group: its whole /metrics is read, of which nothing is kept but
 * this one value. Making that page costs a gateway of many Pods some time, so it is read after the
 * pushes number 1, 4, 16, 64, 256 and every 1024th, and no more of it than GROUP_PAGE_MAX. Gateways
 * that know the parameter name[] send that family only.
 */
#ifndef SIDELIGHT_EXPORT_GROUP_WATCH_H
#define SIDELIGHT_EXPORT_GROUP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "base/span.h"
#include "base/text.h"
#include "metrics/push_stats.h"
#include "metrics/text.h"

/* Path and query of the page, below the gateway's address. */
#define GROUP_PAGE_PATH "/metrics?name%5B%5D=push_time_seconds"

/* Bytes of text: some 80,000 series. */
#define GROUP_PAGE_MAX (16u << 20)

/* Longer ones are cut: no number has so many characters. */
#define GROUP_TIME_MAX 40

struct group_watch {
	struct text line; /* what the line of our group begins with: all up to its value */
	uint64_t pushes; /* that the gateway has accepted */
	char first[GROUP_TIME_MAX]; /* the time after our push; "": not known */
	/* Of the page that is read: */
	char time[GROUP_TIME_MAX]; /* "": not found yet */
	size_t time_len;
	size_t matched; /* bytes of `line` that the line at hand begins with */
	bool is_other_line; /* it begins with something else */
	bool is_found;
	bool is_malformed; /* or too long */
	bool has_begun;
	bool is_gzip; /* z is to be released */
	size_t bytes;
	z_stream z;
};

/* False: no memory. To be released in either case; a zeroed one may be, too. */
bool group_watch_init(struct group_watch *w, const struct label *group, size_t count);
void group_watch_release(struct group_watch *w);

/* Is the gateway to be looked at after so many pushes, which are not 0? */
bool group_watch_is_due(uint64_t pushes);

/* The gateway has accepted a push. True: the page is to be read now. */
bool group_watch_accepted(struct group_watch *w);
/* Is the page to be read before the next push? */
bool group_watch_is_pending(const struct group_watch *w);
/* The next push did not wait for that. */
void group_watch_forget(struct group_watch *w);

/* Begins reading a page. */
void group_watch_begin(struct group_watch *w);
/* Takes the next part of the page, gzip or not. Returns false if no more is needed. */
bool group_watch_read(void *ctx, struct span part);
/*
 * Ends reading. is_complete: the whole page was read. Returns PUSH_GROUP_UNREAD if the time could
 * not be found. After the first of two readings it returns PUSH_GROUP_OWN, which decides nothing
 * yet, and group_watch_is_pending() is true.
 */
enum push_group group_watch_end(struct group_watch *w, bool is_complete);

#endif
