/* SPDX-License-Identifier: Apache-2.0 */
/* The address of a group of labels in a Pushgateway: see base/group.h. */
#ifndef SIDELIGHT_EXPORT_GROUP_H
#define SIDELIGHT_EXPORT_GROUP_H

#include <stddef.h>

#include "base/text.h"
#include "metrics/text.h"

/* Appends the group's address; base may end in slashes. The first label is job, not empty. */
void group_add_url(struct text *out, const char *base, const struct label *labels, size_t count);

#endif
