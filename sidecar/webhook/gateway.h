/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Pushgateway, from which groups are listed and deleted.
 *
 * Every function returns 0 or a negative errno, with gateway_error() saying
 * in a few words what happened: no answer, an answer other than 2xx, or one
 * that is not a Pushgateway's. Memory does not grow with the answer, whatever
 * is in it: the list is read as it arrives, and all else has a cap.
 */
#ifndef SIDELIGHT_WEBHOOK_GATEWAY_H
#define SIDELIGHT_WEBHOOK_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "webhook/listing.h"

struct gateway;

/* Borrowed until gateway_free(). All but url may be NULL. */
struct gateway_options {
	const char *url;
	/* Of a request; a list may take ten minutes while it still brings bytes. */
	uint64_t timeout_ms;
	const char *ca; /* PEM file */
	const char *user_file; /* USER:PASSWORD; read again for each request, as is the token */
	const char *token_file;
	bool (*is_stopping)(void); /* asked now and then during a request */
};

/* NULL: no memory. */
struct gateway *gateway_new(const struct gateway_options *options);
/* Accepts NULL. */
void gateway_free(struct gateway *g);

/*
 * Reads the list of groups into l. *ret_now_s is the time by the gateway's
 * clock, which the times of its pushes are by: that of its answer's Date. It
 * is there before the first group is.
 */
int gateway_list(struct gateway *g, struct listing *l, double *ret_now_s);

/* Removes the group with this path below the gateway's address. -ECANCELED: is_stopping() is so. */
int gateway_delete(struct gateway *g, const char *path);

/* What the last call said; "" after success. */
const char *gateway_error(const struct gateway *g);

#endif
