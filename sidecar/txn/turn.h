/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the client of an HTTP/1 connection wait for each response, and what
 * follows for the open requests when it does not.
 *
 * After a loss, who waits begins afresh with the next request. Who is ever
 * found not to wait, before the loss or after it, is tainted from then on:
 * what is open, or comes later, is counted as lost and not reported.
 */
#ifndef SIDELIGHT_TXN_TURN_H
#define SIDELIGHT_TXN_TURN_H

#include "txn/session.h"

static inline enum dir request_dir(const struct session *s)
{
	return s->role == ROLE_CLIENT ? DIR_EGRESS : DIR_INGRESS;
}

/* Bytes of the request's direction that passed, and that nobody told of (yet). */
uint32_t turn_request_behind(struct conn *c, const struct session *s);

/* The client does not wait. The response at hand may become unpaired by that. */
void turn_pipelines(struct conn *c, struct session *s);

/* A response without request has begun: were there two, and no byte of a request between them? */
void turn_answer(struct conn *c, struct session *s);

/* Is a response to requests that were missed still to come? */
bool turn_is_answer_due(struct conn *c, const struct session *s);

/* The oldest open request will not be reported, and is counted as lost, once. */
void turn_lose_oldest(struct conn *c, struct session *s);

#endif
