/* SPDX-License-Identifier: Apache-2.0 */
/* What libmicrohttpd lets through, although RFC 9112 says that a server must refuse it. */
#ifndef SIDELIGHT_EXPORT_HTTPD_STRICT_H
#define SIDELIGHT_EXPORT_HTTPD_STRICT_H

#include <microhttpd.h>
#include <stdbool.h>

/*
 * Is the head of a request ambiguous: no Host in HTTP/1.1 or two (section
 * 3.2), two lengths, or a length with Transfer-Encoding (section 6.1)? Then it is to be
 * answered by 400, and the connection closed.
 */
bool httpd_is_ambiguous(struct MHD_Connection *c, const char *version);

#endif
