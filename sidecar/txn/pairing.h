/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs the requests and responses of an HTTP/1 connection when messages are missing.
 *
 * Pairing depends on whether the client pipelines, that is, sends a request before the response to
 * the previous one. That is derived from the positions of requests and responses:
 *
 *                     one response, and nothing else,
 *                     between two requests
 *     CLIENT_UNKNOWN --------------------------------> CLIENT_WAITS
 *            |                                              |
 *            | two requests without a response byte         |
 *            v between them, or too many open requests      v
 *     CLIENT_PIPELINES <------------------------------------'      (never left)
 *
 * While a client waits, a missing message concerns one exchange only, and pairing is reliable again
 * as soon as no request is open. If a client pipelines, pairing is unreliable for good from the
 * first missing message on, whether the pipelining shows before or after it: open and later
 * requests are counted as lost and not reported. If it is not known what the client does, exchanges
 * are lost until one shows that it waits.
 *
 *     reliable --- a message is missing, and a response is due or the client is not ---> unreliable
 *                  known to wait; or the client pipelines after a message was missing
 *     reliable --- part of the only open request is missing ---> request_may_be_missing
 *     request_may_be_missing --- another request comes before the response ------------> unreliable
 *     request_may_be_missing --- the request is reported or lost ----------------------> reliable
 *     unreliable --- the client waits, and no request is open; or it is found to wait --> reliable
 */
#ifndef SIDELIGHT_TXN_PAIRING_H
#define SIDELIGHT_TXN_PAIRING_H

#include "txn/session.h"

/* The bytes of the request direction that passed and have not been reported (yet). */
uint32_t pairing_unseen_request_bytes(struct conn *c, const struct session *s);

/* Sets the current segment, until pairing_end_segment(). */
static inline void pairing_begin_segment(struct session *s, const struct segment_view *view)
{
	s->current = view;
}

static inline void pairing_end_segment(struct session *s)
{
	s->current = NULL;
}

/*
 * The position of a direction in the view of the current segment's sender. Returns false if it is
 * not known.
 */
static inline bool pairing_position(const struct session *s, enum dir dir, uint32_t *ret_seq)
{
	const struct segment_view *current = s->current;

	if (!current || !current->has_peer)
		return false;
	*ret_seq = dir == current->dir ? current->from_seq : current->peer_seq;
	return true;
}

/* Called after data of the request direction: the head of the next request may have started. */
static inline void pairing_on_request_data(struct session *s)
{
	if (!http1_holds_head(&s->parser[request_dir(s->role)]))
		s->has_head_seq = false;
	else if (!s->has_head_seq)
		s->has_head_seq =
			pairing_position(s, dir_other(request_dir(s->role)), &s->head_seq);
}

/* Called when a request was added to the open ones. */
void pairing_on_request(struct conn *c, struct session *s);

/* A complete request was missed, and its response is still to come. */
static inline void pairing_on_missed_request(struct session *s)
{
	s->has_request_seq = pairing_position(s, dir_other(request_dir(s->role)), &s->request_seq);
}

/* Called at the end of a final response. */
static inline void pairing_on_response_end(struct session *s)
{
	s->last_exchange = s->last_exchange == LAST_EXCHANGE_OPEN ? LAST_EXCHANGE_COMPLETE
								  : LAST_EXCHANGE_UNKNOWN;
}

/* Pairing becomes reliable again if the client waits and no request is open. */
static inline void pairing_restore(struct session *s)
{
	if (s->open.count == 0 && s->client == CLIENT_WAITS)
		s->pairing_unreliable = false;
}

/* The client pipelines. The current response may become unpaired. */
void pairing_client_pipelines(struct conn *c, struct session *s);

/*
 * Called at the start of a response without request: two of them without a request byte between
 * them show that the client pipelines.
 */
void pairing_on_unpaired_response(struct conn *c, struct session *s);

/* The general case of pairing_drops_late(). */
bool pairing_drops(struct conn *c, struct session *s);

/*
 * Drops the request whose head has ended, and counts it as lost, if it is older than the last
 * response, whose sender had received it. Returns whether it did. The response came first since a
 * copy of the request was answered while another CPU was about to send its record (bpf/README.md).
 */
static inline bool pairing_drops_late(struct conn *c, struct session *s)
{
	return __builtin_expect(s->has_unpaired_seq, 0) && pairing_drops(c, s);
}

/* True if the response to a missed request may still come. */
bool pairing_is_response_due(struct conn *c, const struct session *s);

/* Marks the oldest open request as lost and counts it, once. */
void pairing_lose_oldest(struct conn *c, struct session *s);

#endif
