/* SPDX-License-Identifier: Apache-2.0 */
/* What a client takes (RFC 9110 sections 12.4 and 12.5). A field that is absent is NULL. */
#ifndef SIDELIGHT_EXPORT_ACCEPT_H
#define SIDELIGHT_EXPORT_ACCEPT_H

#include "export/page.h"

/*
 * By the Accept field: the protobuf and OpenMetrics only for those who name them and like them as
 * much as anything else that they name.
 */
enum page_format accept_format(const char *accept);

enum accept_coding { ACCEPT_NOTHING, ACCEPT_IDENTITY, ACCEPT_GZIP };

/*
 * By the Accept-Encoding field (section 12.5.3): gzip if the client takes it and does not like
 * the identity better; ACCEPT_NOTHING if it refuses both.
 */
enum accept_coding accept_coding(const char *accept_encoding);

#endif
