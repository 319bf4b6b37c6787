/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a group in a Pushgateway:
 *
 *     http://gw:9091/metrics/job/shop/namespace/prod/pod@base64/YS9i
 *
 * Values that a path cannot carry as they are go as base64: the gateway
 * answers 301 to %2F, and an empty value is `@base64/=`.
 */
#ifndef SIDELIGHT_EXPORT_GROUP_H
#define SIDELIGHT_EXPORT_GROUP_H

#include <stddef.h>

#include "base/text.h"
#include "metrics/text.h"

/* Appends the group's address; base may end in slashes. The first label is job, not empty. */
void group_add_url(struct text *out, const char *base, const struct label *labels, size_t count);

#endif
