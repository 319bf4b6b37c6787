/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods that OpenTelemetry's HTTP conventions call known: the methods of RFC 9110, PATCH, and
 * QUERY. A method is case-sensitive (RFC 9110 section 9.1), so `get` is not known.
 */
#ifndef SIDELIGHT_PROTO_METHOD_H
#define SIDELIGHT_PROTO_METHOD_H

#include <stdbool.h>

#include "base/span.h"

#define METHOD_OTHER "_OTHER"

/*
 * Returns the known method as a static string, else METHOD_OTHER. Equal names are equal pointers.
 */
const char *method_known(struct span method);

/* Is that an answer other than METHOD_OTHER? Known methods are upper case; other words that stand
 * for a method begin with another character. */
static inline bool method_is_known(const char *known_method)
{
	return *known_method >= 'A' && *known_method <= 'Z';
}

#endif
