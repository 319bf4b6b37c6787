/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of a request target, and one spelling of it (RFC 9112 section 3.2, RFC 3986
 * section 6.2.2).
 */
#ifndef SIDELIGHT_TXN_ROUTE_PATH_H
#define SIDELIGHT_TXN_ROUTE_PATH_H

#include <stddef.h>

#include "base/span.h"

/* Longest normal path; what is over is cut off. */
#define ROUTE_PATH_MAX 512

enum route_form {
	ROUTE_FORM_PATH, /* origin-form or absolute-form */
	ROUTE_FORM_ASTERISK,
	ROUTE_FORM_AUTHORITY, /* host:port */
	ROUTE_FORM_INVALID,
};

/* The form of a target; for a path, *ret_path is it, as on the wire and without query and
 * fragment; "/" if it has none. */
enum route_form route_path_of(struct span target, struct span *ret_path);

/*
 * A path in its normal spelling: unreserved characters are not percent-encoded, everything that
 * is no visible ASCII character of a path is; empty segments inside and path parameters
 * (;jsessionid=...) are dropped. Returns its length, at most size.
 */
size_t route_path_normal(struct span path, char *buf, size_t size);

#endif
