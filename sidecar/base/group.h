/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a group in a Pushgateway, one segment after another:
 *
 *     http://gw:9091/metrics/job/shop/namespace/prod/pod@base64/YS9i
 *
 * Values that a path cannot carry as they are go as base64: the gateway
 * answers 301 to %2F, and an empty value is `@base64/=`.
 */
#ifndef SIDELIGHT_BASE_GROUP_H
#define SIDELIGHT_BASE_GROUP_H

#include "base/text.h"

/* Appends a path below the gateway's address, which may end in slashes. */
void group_add_root(struct text *out, const char *base, const char *path);

/* Appends a label of the group. The first is job, not empty. */
void group_add_label(struct text *out, const char *name, const char *value);

#endif
