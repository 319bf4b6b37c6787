/* SPDX-License-Identifier: Apache-2.0 */
/* What HTTP allows in names and values, for servers that refuse everything else. */
#ifndef SIDELIGHT_BASE_HTTP_SYNTAX_H
#define SIDELIGHT_BASE_HTTP_SYNTAX_H

#include <stdbool.h>

#include "base/span.h"

/* A method or the name of a field (RFC 9110 section 5.6.2); not empty. */
bool http_is_token(struct span s);
/* The value of a field: VCHAR, obs-text, blank and tab (RFC 9110 section 5.5); may be empty. */
bool http_is_field_value(struct span s);
/* The value of Host, as far as its bytes tell (RFC 9112 section 3.2); may be empty. */
bool http_is_host(struct span s);

#endif
