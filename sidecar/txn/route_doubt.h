/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds route templates that are well-formed but probably wrong: templates in the notation of a
 * framework, whose text would have to be in a path literally, and templates that an earlier one
 * makes unreachable.
 */
#ifndef SIDELIGHT_TXN_ROUTE_DOUBT_H
#define SIDELIGHT_TXN_ROUTE_DOUBT_H

#include "base/span.h"

/* why is static text; template is borrowed from the list. */
typedef void (*route_doubt_fn)(struct span template, const char *why);

/*
 * Calls fn for each doubtful template of a list that routes_set() accepts; NULL is an empty list.
 */
void route_doubts(const char *templates, route_doubt_fn fn);

#endif
