/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes of requests that are served: each target is asked for as often as it takes to be admitted
 * in a table that has one.
 */
#ifndef SIDELIGHT_TESTS_UNIT_ROUTE_SERVED_H
#define SIDELIGHT_TESTS_UNIT_ROUTE_SERVED_H

#include <stdlib.h>

#include "txn/route.h"

#define ROUTE_SERVED_TIMES 4

struct served {
	struct label_values *names;
	struct routes *routes;
};

/* routes is NULL, and *ret_error set, if the templates are malformed. */
static inline struct served served_new(const char *templates, size_t cap, const char **ret_error)
{
	struct served s = {.names = label_values_new(cap)};

	if (!s.names)
		abort();
	s.routes = routes_new(s.names, templates, ret_error);
	return s;
}

static inline void served_free(struct served *s)
{
	routes_free(s->routes);
	label_values_free(s->names);
}

static inline const char *served_find(struct served *s, enum role role, struct span target)
{
	const char *route = label_other;
	bool is_candidate;

	for (int i = 0; i < ROUTE_SERVED_TIMES && route == label_other; i++) {
		route = routes_find(s->routes, role, target, NULL, &is_candidate);
		if (!is_candidate)
			return route;
		route = label_values_decide(s->names, role, route, NULL, LABEL_SERVED);
	}
	return route;
}

#endif
