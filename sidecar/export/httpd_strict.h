/* SPDX-License-Identifier: Apache-2.0 */
/* What libmicrohttpd lets through, although RFC 9112 says that a server must refuse it. */
#ifndef SIDELIGHT_EXPORT_HTTPD_STRICT_H
#define SIDELIGHT_EXPORT_HTTPD_STRICT_H

#include <microhttpd.h>
#include <stdbool.h>

/*
 * Is the head of a request malformed or ambiguous: no Host in HTTP/1.1, two, or one that is no host
 * (RFC 9112 section 3.2), two lengths, a length with Transfer-Encoding, or this in HTTP/1.0
 * (section 6.1), a blank before a colon (section 5.1), a name or a value with bytes that are not
 * allowed? Then it is to be answered by 400, and the connection closed.
 *
 * libmicrohttpd itself refuses bare LF, folded fields and NUL since 0.9.77, if it is asked to be
 * strict. Older ones (Debian 12) take the first two as RFC 9112 allows it, and cut the target or
 * the value at a NUL.
 */
bool httpd_is_malformed(struct MHD_Connection *c, const char *version);

#endif
