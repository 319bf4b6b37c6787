/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the client of an HTTP/1 connection wait for each response, and what
 * follows for the pairing of requests and responses when a message was missed.
 *
 *                     one response, and nothing else,
 *                     between two requests
 *     CLIENT_UNKNOWN --------------------------------> CLIENT_WAITS
 *            |                                              |
 *            | two requests and no response byte between    |
 *            v them, or more of them than are followed      v
 *     CLIENT_PIPELINES <------------------------------------'      (never left)
 *
 * While a client waits, what was missed concerns one exchange only, and pairing is
 * reliable again when no request is open. A client that pipelines makes pairing
 * unreliable for good with the first message that is missed, be it before or
 * after that shows: what is open, or comes later, is counted as lost and not
 * reported. Of a client of unknown habit exchanges are lost until one shows
 * that it waits.
 *
 *     reliable --- a message is missed, and a response is due, or the client is not ---> unreliable
 *                  known to wait; or it turns out to pipeline after one was missed
 *     reliable --- part of the only open request is missed ---> request_may_be_missing
 *     request_may_be_missing --- another request comes before the response -----------> unreliable
 *     request_may_be_missing --- the request is reported or lost ---------------------> reliable
 *     unreliable --- the client waits, and no request is open; or it turns out to wait > reliable
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

/* The segment is at hand until turn_leave(). */
static inline void turn_enter(struct session *s, const struct segment_view *view)
{
	s->at_hand = view;
}

static inline void turn_leave(struct session *s)
{
	s->at_hand = NULL;
}

/* How far a direction had come for the sender of the segment at hand; false: nobody knows. */
static inline bool turn_come(const struct session *s, enum dir dir, uint32_t *ret_seq)
{
	const struct segment_view *at_hand = s->at_hand;

	if (!at_hand || !at_hand->has_peer)
		return false;
	*ret_seq = dir == at_hand->dir ? at_hand->from_seq : at_hand->peer_seq;
	return true;
}

/* After data of the request's direction: the head of the next request may have begun. */
static inline void turn_begin(struct session *s)
{
	if (!http1_holds_head(&s->parser[request_dir(s)]))
		s->has_begun = false;
	else if (!s->has_begun)
		s->has_begun = turn_come(s, dir_other(request_dir(s)), &s->begun_seq);
}

/* The newest of the open requests has just been found. */
void turn_ask(struct conn *c, struct session *s);

/* A whole request was missed, and has no response yet. */
static inline void turn_miss(struct session *s)
{
	s->has_asked = turn_come(s, dir_other(request_dir(s)), &s->asked_seq);
}

/* A final response has ended. */
static inline void turn_end(struct session *s)
{
	s->turn = s->turn == TURN_ASKED ? TURN_ANSWERED : TURN_NONE;
}

/* No response is due: what was missed concerns nobody, if the client waits. */
static inline void turn_settle(struct session *s)
{
	if (s->open.count == 0 && s->client == CLIENT_WAITS)
		s->pairing_unreliable = false;
}

/* The client does not wait. The response at hand may become unpaired by that. */
void turn_pipelines(struct conn *c, struct session *s);

/* A response without request has begun: were there two, and no byte of a request between them? */
void turn_answer(struct conn *c, struct session *s);

/* Is a response to requests that were missed still to come? */
bool turn_is_answer_due(struct conn *c, const struct session *s);

/* The oldest open request will not be reported, and is counted as lost, once. */
void turn_lose_oldest(struct conn *c, struct session *s);

#endif
