/* SPDX-License-Identifier: Apache-2.0 */
/* The labels of all series, and the grouping key of a Pushgateway: who we report for. */
#ifndef SIDELIGHT_LABELS_H
#define SIDELIGHT_LABELS_H

#include <stddef.h>

#include "metrics/text.h"
#include "options.h"
#include "pod/identity.h"

#define LABELS_MAX 8

struct labels {
	struct label common[LABELS_MAX];
	size_t common_count;
	struct label group[LABELS_MAX];
	size_t group_count;
	struct identity identity; /* what the labels point to */
};

/* Must not be moved afterwards. */
void labels_init(struct labels *l, const struct options *o);

#endif
