/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One template of the user's: `/users/{id}`, `/files/` and a last `*`.
 */
#ifndef SIDELIGHT_TXN_ROUTE_PATTERN_H
#define SIDELIGHT_TXN_ROUTE_PATTERN_H

#include <stdbool.h>

#include "base/span.h"
#include "txn/route_path.h"

struct route_pattern {
	size_t len;
	char match[ROUTE_PATH_MAX]; /* normal spelling; a segment of one segment is "{" */
};

/* What is wrong with the template, as static text; NULL if nothing is. */
const char *route_pattern_parse(struct route_pattern *p, struct span text);

/* Does it match a path in normal spelling? */
bool route_pattern_matches(const struct route_pattern *p, struct span path);

#endif
