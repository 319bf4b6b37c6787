/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/turn.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

uint32_t turn_request_behind(struct conn *c, const struct session *s)
{
	const struct session_env *env = env_of(c);
	const struct bytes *b = &c->bytes[request_dir(s)];
	int32_t behind = (int32_t)(env->peer_seq - b->next);

	return env->has_peer && b->is_started && behind > 0 ? (uint32_t)behind : 0;
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
	s->has_pipelined = true;
	if (!s->has_missed || s->is_tainted)
		return;
	s->is_tainted = true;
	/* Since the loss it may be the response to another request. */
	if (s->open.count && exchanges_oldest(&s->open)->status) {
		s->is_unpaired = true;
		turn_lose_oldest(c, s);
	}
}

void turn_answer(struct conn *c, struct session *s)
{
	const struct session_env *env = env_of(c);

	if (s->is_answered && env->has_peer && s->answered_seq == env->peer_seq)
		turn_pipelines(c, s);
	s->answered_seq = env->peer_seq;
	s->is_answered = env->has_peer;
}

bool turn_is_answer_due(struct conn *c, const struct session *s)
{
	const struct session_env *env = env_of(c);

	/* What was missed behind the last response has none yet. */
	if (s->is_answered && (int32_t)(c->bytes[request_dir(s)].next - s->answered_seq) <= 0)
		return false;
	return env->has_peer && env->peer_seq == c->bytes[dir_other(request_dir(s))].next;
}
