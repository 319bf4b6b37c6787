/* SPDX-License-Identifier: Apache-2.0 */
/* One user template, like `/users/{id}`; a last `*` stands for any rest. */
#ifndef SIDELIGHT_TXN_ROUTE_PATTERN_H
#define SIDELIGHT_TXN_ROUTE_PATTERN_H

#include <stdbool.h>

#include "base/span.h"
#include "txn/route_path.h"

struct route_pattern {
	size_t len;
	char match[ROUTE_PATH_MAX]; /* normal form; "{" stands for one segment */
};

/* Parses a template. Returns the error as static text, or NULL. */
const char *route_pattern_parse(struct route_pattern *p, struct span text);

/* True if the template matches a path in normal form. */
bool route_pattern_matches(const struct route_pattern *p, struct span path);

#endif
