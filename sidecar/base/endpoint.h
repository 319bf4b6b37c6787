/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a TCP connection.
 */
#ifndef SIDELIGHT_BASE_ENDPOINT_H
#define SIDELIGHT_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct endpoint {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16]; /* network order; IPv4 in the first four, the rest zero */
	uint16_t port; /* host order */
};

static inline bool endpoint_is(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

#endif
