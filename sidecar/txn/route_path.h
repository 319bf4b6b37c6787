/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path of a request target, and its normal form (RFC 9112 section 3.2, RFC 3986 section 6.2.2).
 */
#ifndef SIDELIGHT_TXN_ROUTE_PATH_H
#define SIDELIGHT_TXN_ROUTE_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* The longest normal path; the rest is cut off. */
#define ROUTE_PATH_MAX 512

/* Classes of the characters of a path. */
enum {
	ROUTE_DIGIT = 1 << 0,
	ROUTE_LOWER = 1 << 1,
	ROUTE_UPPER = 1 << 2,
	ROUTE_HEX = 1 << 3, /* also a digit or a letter */
	ROUTE_MARK = 1 << 4, /* - . _ ~ and @ */
	ROUTE_DELIM = 1 << 5, /* other delimiters inside segments */
	ROUTE_AT = 1 << 6, /* @ */
	ROUTE_PERCENT = 1 << 7, /* % of an encoded character */
	ROUTE_LETTER = ROUTE_LOWER | ROUTE_UPPER,
	ROUTE_UNRESERVED = ROUTE_DIGIT | ROUTE_LETTER | ROUTE_MARK, /* never percent-encoded */
};

extern const uint8_t route_class[256];

static inline unsigned route_class_of(char c)
{
	return route_class[(unsigned char)c];
}

enum route_form {
	ROUTE_FORM_PATH, /* origin-form or absolute-form */
	ROUTE_FORM_ASTERISK,
	ROUTE_FORM_AUTHORITY, /* host:port */
	ROUTE_FORM_INVALID,
};

/*
 * The form of a target. For a path, *ret_path is the path as on the wire, without query and
 * fragment; "/" if it has none.
 */
enum route_form route_path_of(struct span target, struct span *ret_path);

/*
 * Writes a path in its normal form: unreserved characters are not percent-encoded, all characters
 * but visible ASCII characters of a path are; empty segments inside and path parameters
 * (;jsessionid=..., also what follows an encoded ; ? or # in a segment) are dropped. Returns its
 * length, at most size.
 */
size_t route_path_normal(struct span path, char *buf, size_t size);

#endif
