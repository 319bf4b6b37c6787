/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines: what the few fields say that matter here (RFC 9110, RFC 9112 section 6).
 */
#ifndef SIDELIGHT_PROTO_HTTP1_FIELD_H
#define SIDELIGHT_PROTO_HTTP1_FIELD_H

#include "proto/http1_head.h"

/*
 * Takes the field line p[0, n), n > 0, that has lost its LF but not its CR, into h.
 * True if it is a continuation line (obsolete folding), which nothing was taken from.
 */
bool http1_field(struct http1_head *h, const char *p, size_t n);

#endif
