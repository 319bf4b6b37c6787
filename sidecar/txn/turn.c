/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/turn.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

uint32_t turn_request_behind(struct conn *c, const struct session *s)
{
	const struct bytes *b = &c->bytes[request_dir(s)];
	uint32_t seq;

	if (!b->is_started || !turn_come(s, request_dir(s), &seq))
		return 0;
	return (int32_t)(seq - b->next) > 0 ? seq - b->next : 0;
}

void turn_lose_oldest(struct conn *c, struct session *s)
{
	struct exchange *e = exchanges_oldest(&s->open);

	if (!e->is_lost)
		env_of(c)->stats.lost[ENGINE_LOST_RESPONSE]++;
	e->is_lost = true;
}

void turn_pipelines(struct conn *c, struct session *s)
{
	s->client = CLIENT_PIPELINES;
	if (!s->has_missed || s->pairing_unreliable)
		return;
	s->pairing_unreliable = true;
	/* Since the loss it may be the response to another request. */
	if (s->open.count && exchanges_oldest(&s->open)->status) {
		s->is_unpaired = true;
		turn_lose_oldest(c, s);
	}
}

/* Between the newest request and the one before it there was one response, and nothing else. */
static bool has_waited(struct conn *c, const struct session *s)
{
	enum dir dir = dir_other(request_dir(s));

	return s->turn == TURN_ANSWERED && s->open.count == 1 &&
	       !http1_is_inside(&s->parser[dir]) &&
	       (!s->has_asked || s->asked_seq == c->bytes[dir].next);
}

void turn_ask(struct conn *c, struct session *s)
{
	enum dir dir = dir_other(request_dir(s));
	struct http1 *response = &s->parser[dir];
	uint32_t seq = s->begun_seq;
	bool is_known = s->has_begun || turn_come(s, dir, &seq);

	if (is_known ? s->has_asked && s->asked_seq == seq : s->open.count > 1)
		turn_pipelines(c, s);
	s->has_begun = false;
	s->has_asked = is_known;
	s->asked_seq = seq;
	if (s->client == CLIENT_UNKNOWN && has_waited(c, s)) {
		s->client = CLIENT_WAITS;
		s->pairing_unreliable = false;
	}
	s->turn = TURN_ASKED;
	s->is_answered = false;
	/* It had its response, however long a body that response announced: maybe to a HEAD. */
	if (s->is_unpaired && s->client != CLIENT_PIPELINES && http1_is_inside(response))
		http1_resync(response);
}

void turn_answer(struct conn *c, struct session *s)
{
	uint32_t seq = 0;
	bool is_known = turn_come(s, request_dir(s), &seq);

	if (s->is_answered && is_known && s->answered_seq == seq)
		turn_pipelines(c, s);
	s->answered_seq = seq;
	s->is_answered = is_known;
}

bool turn_is_answer_due(struct conn *c, const struct session *s)
{
	enum dir dir = dir_other(request_dir(s));
	uint32_t seq;

	/* What was missed behind the last response has none yet. */
	if (s->is_answered && (int32_t)(c->bytes[request_dir(s)].next - s->answered_seq) <= 0)
		return false;
	/* The client may have received less than has passed here: then it did not wait for it. */
	return turn_come(s, dir, &seq) && (int32_t)(seq - c->bytes[dir].next) <= 0;
}
