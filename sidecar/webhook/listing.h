/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Pushgateway's list of groups (GET /api/v1/metrics), read as it arrives.
 *
 * It holds every series of every group and may be hundreds of megabytes. All
 * that is kept is of the group that is being read: its labels and when it was
 * pushed.
 *
 *     {"status": "success", "data": [
 *       {"labels": {"job": "shop", "pod": "a"},
 *        "push_time_seconds": {"metrics": [{"value": "1.7e+09", ...}], ...},
 *        "push_failure_time_seconds": ..., "every other metric": ...}, ...]}
 *
 * The input is hostile: depth and sizes have caps, and what is not of this
 * shape ends in -EINVAL.
 */
#ifndef SIDELIGHT_WEBHOOK_LISTING_H
#define SIDELIGHT_WEBHOOK_LISTING_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define LISTING_DEPTH_MAX 32
#define LISTING_KEPT_MAX  65536 /* bytes of one of the three members */

enum listing_member { MEMBER_LABELS, MEMBER_PUSHED, MEMBER_FAILED, MEMBER_MAX };

struct listed_group {
	const cJSON *labels; /* an object of strings with a job that is not empty; borrowed */
	double pushed_s; /* Unix time of the last push, whether it failed or not; 0: never */
};

struct listing {
	void (*on_group)(void *ctx, const struct listed_group *group);
	void *ctx;
	size_t unusable; /* groups that were passed over: over a cap, or without a name in a URL */

	/* private */
	char open[LISTING_DEPTH_MAX]; /* brackets */
	size_t depth;
	bool in_string;
	bool is_escaped;
	bool wants_key; /* at a group's level, a string would be a member's name */
	bool is_done;
	bool is_over_cap;
	enum listing_member member; /* being kept; MEMBER_MAX: none */
	struct text key;
	struct text kept[MEMBER_MAX];
};

void listing_init(struct listing *l, void (*on_group)(void *ctx, const struct listed_group *group),
		  void *ctx);
void listing_release(struct listing *l);

/* The next bytes. Returns 0, -EINVAL or -ENOMEM; after an error no more may be fed. */
int listing_feed(struct listing *l, const char *data, size_t len);

/* Was it whole? Returns 0 or -EINVAL. */
int listing_end(const struct listing *l);

#endif
