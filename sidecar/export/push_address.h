/* SPDX-License-Identifier: Apache-2.0 */
/* Where to push to: the URLs that a gateway's own leads to. */
#ifndef SIDELIGHT_EXPORT_PUSH_ADDRESS_H
#define SIDELIGHT_EXPORT_PUSH_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "metrics/text.h"

struct push_address {
	struct text group; /* of our group */
	struct text shown; /* the same, fit to be logged: without a password */
	struct text page; /* what group_watch.h reads */
	struct text status; /* what push_format.h reads */
};

/* False: *ret_error says why, in static text. To be released in either case. */
bool push_address_init(struct push_address *a, const char *gateway, const struct label *group,
		       size_t count, const char **ret_error);
/* Accepts a zeroed one. */
void push_address_release(struct push_address *a);

#endif
