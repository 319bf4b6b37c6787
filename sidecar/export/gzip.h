/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes compressed as one gzip member (RFC 1952). */
#ifndef SIDELIGHT_EXPORT_GZIP_H
#define SIDELIGHT_EXPORT_GZIP_H

#include <stddef.h>

#include "base/span.h"

/* Returns 0 and memory that the caller frees, or -ENOMEM. */
int gzip_span(struct span in, char **ret_ptr, size_t *ret_len);

#endif
