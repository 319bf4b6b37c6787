/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the requests of an HTTP/1 connection that the BPF programs saw and did not copy: a client
 * pipelined more than their budget, or after a body of unknown length. Only responses show how
 * many requests there were. Requests before the skipped bytes keep their responses. After them, if
 * the client pipelines, bytes that look like a request may be inside a body: requests are not added
 * any more, and each response counts one as lost.
 *
 *     NONE --- bytes between requests, or of a chunked body, were skipped ------> POSSIBLE
 *     any ---- bytes that may have been requests were lost ---------------------> UNCERTAIN
 *     any ---- the client waited for all responses -----------------------------> NONE
 */
#ifndef SIDELIGHT_TXN_UNCOPIED_H
#define SIDELIGHT_TXN_UNCOPIED_H

#include "txn/session.h"

/* Requests may be among skipped bytes. */
void uncopied_begin(struct conn *c, struct session *s);

/* Bytes of the request direction were skipped. was_lost: its parser was out of sync before. */
void uncopied_skip(struct conn *c, struct session *s, bool was_lost);

/*
 * A final response has started, and no request is open: counts its request as lost if it was
 * skipped.
 */
void uncopied_response(struct conn *c, struct session *s);

/* True if a new request is not added, because responses are counted instead. */
static inline bool uncopied_hides(const struct session *s)
{
	return s->uncopied == UNCOPIED_POSSIBLE && s->doubts_next;
}

/* Bytes of the request direction were lost, and requests may be among them. */
static inline void uncopied_lose(struct session *s)
{
	s->uncopied = UNCOPIED_UNCERTAIN;
	s->responses_unexplained = 0;
}

/* No response is due but that of the newest request. */
static inline void uncopied_forget(struct session *s)
{
	s->uncopied = UNCOPIED_NONE;
	s->responses_due = 0;
	s->responses_unexplained = 0;
}

#endif
