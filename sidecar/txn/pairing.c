/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/pairing.h"

#include "txn/uncopied.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

uint32_t pairing_unseen_request_bytes(struct conn *c, const struct session *s)
{
	const struct bytes *b = &c->bytes[request_dir(s->role)];
	uint32_t seq;

	if (!b->is_started || !pairing_position(s, request_dir(s->role), &seq))
		return 0;
	return (int32_t)(seq - b->next) > 0 ? seq - b->next : 0;
}

void pairing_lose_oldest(struct conn *c, struct session *s)
{
	struct exchange *e = exchanges_oldest(&s->open);

	if (!e->is_lost)
		env_of(c)->stats.lost[ENGINE_LOST_RESPONSE]++;
	e->is_lost = true;
}

void pairing_client_pipelines(struct conn *c, struct session *s)
{
	s->client = CLIENT_PIPELINES;
	if (!s->has_missed || s->pairing_unreliable)
		return;
	s->pairing_unreliable = true;
	/* Since the loss it may be the response to another request. */
	if (s->open.count && exchanges_oldest(&s->open)->status) {
		s->is_unpaired = true;
		pairing_lose_oldest(c, s);
	}
}

/* True if exactly one response, and nothing else, came between the newest two requests. */
static bool waited_for_response(struct conn *c, const struct session *s)
{
	enum dir dir = dir_other(request_dir(s->role));

	return s->last_exchange == LAST_EXCHANGE_COMPLETE && s->open.count == 1 &&
	       !http1_is_inside(&s->parser[dir]) &&
	       (!s->has_request_seq || s->request_seq == c->bytes[dir].next);
}

void pairing_on_request(struct conn *c, struct session *s)
{
	enum dir dir = dir_other(request_dir(s->role));
	struct http1 *response = &s->parser[dir];
	uint32_t seq = s->head_seq;
	bool is_known = s->has_head_seq || pairing_position(s, dir, &seq);

	if (is_known ? s->has_request_seq && s->request_seq == seq : s->open.count > 1)
		pairing_client_pipelines(c, s);
	s->has_head_seq = false;
	s->has_request_seq = is_known;
	s->request_seq = seq;
	if (__builtin_expect(s->uncopied, 0) && waited_for_response(c, s))
		uncopied_forget(s);
	if (s->client == CLIENT_UNKNOWN && waited_for_response(c, s)) {
		s->client = CLIENT_WAITS;
		s->pairing_unreliable = false;
	}
	s->last_exchange = LAST_EXCHANGE_OPEN;
	s->has_unpaired_seq = false;
	/*
	 * The previous request has its response, even if its announced body is missing: it may
	 * answer a HEAD.
	 */
	if (s->is_unpaired && s->client != CLIENT_PIPELINES && http1_is_inside(response))
		http1_resync(response);
}

bool pairing_drops(struct conn *c, struct session *s)
{
	uint32_t end = c->bytes[request_dir(s->role)].next;

	if (s->open.count || s->client == CLIENT_PIPELINES || (int32_t)(end - s->unpaired_seq) > 0)
		return false;
	s->has_unpaired_seq = false;
	env_of(c)->stats.lost[ENGINE_LOST_RESPONSE]++;
	return true;
}

void pairing_on_unpaired_response(struct conn *c, struct session *s)
{
	uint32_t seq = 0;
	bool is_known = pairing_position(s, request_dir(s->role), &seq);

	if (s->has_unpaired_seq && is_known && s->unpaired_seq == seq)
		pairing_client_pipelines(c, s);
	s->unpaired_seq = seq;
	s->has_unpaired_seq = is_known;
}

bool pairing_is_response_due(struct conn *c, const struct session *s)
{
	enum dir dir = dir_other(request_dir(s->role));
	uint32_t seq;

	/* A request that was missed after the last response has no response yet. */
	if (s->has_unpaired_seq &&
	    (int32_t)(c->bytes[request_dir(s->role)].next - s->unpaired_seq) <= 0)
		return false;
	/*
	 * The client may have received fewer bytes than have passed here: then it did not wait for
	 * them.
	 */
	return pairing_position(s, dir, &seq) && (int32_t)(seq - c->bytes[dir].next) <= 0;
}
