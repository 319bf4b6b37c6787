/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a TCP connection.
 */
#ifndef SIDELIGHT_BASE_ENDPOINT_H
#define SIDELIGHT_BASE_ENDPOINT_H

#include <stdint.h>

struct endpoint {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16]; /* network order; IPv4 in the first four, the rest zero */
	uint16_t port; /* host order */
};

#endif
