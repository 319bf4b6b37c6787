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

/*
 * True if known_method is a method of method_known() other than METHOD_OTHER. The names that stand
 * for other methods (METHOD_OTHER, "unknown", "gRPC") do not begin with an upper-case letter.
 */
static inline bool method_is_known(const char *known_method)
{
	return *known_method >= 'A' && *known_method <= 'Z';
}

#endif
