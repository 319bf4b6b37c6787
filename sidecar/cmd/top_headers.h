/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of the requests that `sidelight top` shows, and the rows of those of one:
 *
 *     OF                FIELD         VALUE
 *     request           host          example.com
 *     response          content-type  text/html
 *     response trailer  grpc-status   0
 */
#ifndef SIDELIGHT_CMD_TOP_HEADERS_H
#define SIDELIGHT_CMD_TOP_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "cmd/grid.h"
#include "cmd/top_rows.h"

struct top_headers {
	char *line[TOP_REQUESTS_MAX]; /* of requests, by serial; owned; NULL: none */
	struct grid fields; /* of the request that was chosen last */
};

/* Zeroed, it can be released. */
void top_headers_init(struct top_headers *h);
void top_headers_release(struct top_headers *h);

/* The line of the request with this serial, which replaces one that is TOP_REQUESTS_MAX older. */
void top_headers_keep(struct top_headers *h, uint64_t serial, struct span line);
/* Fills `fields`; there are none if the line had none, or there was no memory for it. */
void top_headers_choose(struct top_headers *h, uint64_t serial);

#endif
