/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the field lines that sidelight uses (RFC 9110, RFC 9112 section 6). */
#ifndef SIDELIGHT_PROTO_HTTP1_FIELD_H
#define SIDELIGHT_PROTO_HTTP1_FIELD_H

#include "proto/http1_head.h"

/*
 * Adds the field line p[0, n), n > 0, without its LF but maybe with its CR, to h. Returns true if
 * the line is a continuation line (obsolete folding), which is not added.
 */
bool http1_field(struct http1_head *h, const char *p, size_t n);

#endif
