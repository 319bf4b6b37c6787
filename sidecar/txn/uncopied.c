/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/uncopied.h"

#include "txn/pairing.h"

static uint64_t *requests_lost(struct conn *c)
{
	struct session_env *env = c->owner;

	return &env->stats.lost[ENGINE_LOST_REQUEST];
}

void uncopied_begin(struct conn *c, struct session *s)
{
	if (s->uncopied != UNCOPIED_NONE)
		return;
	s->uncopied = UNCOPIED_POSSIBLE;
	*requests_lost(c) += s->responses_unexplained;
	s->responses_unexplained = 0;
}

void uncopied_skip(struct conn *c, struct session *s, bool was_lost)
{
	const struct http1 *request = &s->parser[request_dir(s->role)];

	if (http1_is_out_of_sync(request)) {
		/*
		 * A parser that was out of sync before (the connection is older than the capture,
		 * or bytes were lost) has skipped the rest of a request, not requests. A client
		 * that pipelines may have sent others behind it.
		 */
		if (!was_lost || s->client == CLIENT_PIPELINES)
			uncopied_begin(c, s);
		s->doubts_next |= s->client == CLIENT_PIPELINES;
	} else if (http1_is_unframed(request)) {
		uncopied_begin(c, s);
		/* Earlier requests keep their responses, which come first. */
		if (s->client == CLIENT_PIPELINES || s->open.count > 1)
			s->doubts_next = true;
		else
			s->request_may_be_missing |= s->open.count == 1;
	}
}

void uncopied_response(struct conn *c, struct session *s)
{
	if (s->responses_due)
		s->responses_due--;
	else if (s->uncopied == UNCOPIED_POSSIBLE)
		++*requests_lost(c);
	else if (s->uncopied == UNCOPIED_NONE && pairing_unseen_request_bytes(c, s) > 1)
		s->responses_unexplained++;
}
