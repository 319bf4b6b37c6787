/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/unreadable.h"

#include "proto/method.h"
#include "txn/candidate.h"
#include "txn/pairing.h"

static struct session_env *env_of(struct conn *c)
{
	return c->owner;
}

void unreadable_begin(struct session *s)
{
	if (!s->is_unreadable)
		s->unreadable_ns = s->parser[request_dir(s->role)].last_ns;
	s->is_unreadable = true;
}

bool unreadable_response(struct conn *c, struct session *s)
{
	struct session_env *env = env_of(c);
	struct http1 *request = &s->parser[request_dir(s->role)];
	struct exchange *e;
	bool is_full;

	/* An incomplete line is unreadable, too. */
	if (http1_holds_head(request) && !s->has_gap) {
		unreadable_begin(s);
		http1_resync(request);
	}
	if (!s->is_unreadable)
		return false;
	s->is_unreadable = false;
	/* After a loss the bytes may be the middle of any message. */
	if (s->pairing_unreliable || s->has_gap)
		return false;
	e = exchanges_push(&s->open, &is_full);
	if (!e)
		return false;
	e->start_ns = s->unreadable_ns;
	e->version = HTTP_1_1;
	e->known_method = method_known((struct span){METHOD_OTHER, sizeof(METHOD_OTHER) - 1});
	e->route = txn_unknown;
	e->response_body = HTTP1_BODY_OPTIONAL;
	e->server_address =
		s->role == ROLE_CLIENT ? candidates_find_address(c, e, (struct span){NULL, 0}) : "";
	if (s->role == ROLE_CLIENT)
		exchange_set_thread(e, s->tid, s->tgid);
	e->active = actives_find(&env->actives, s->role, c->container, e->known_method, s->tls);
	e->active->count++;
	env->stats.requests_open++;
	return true;
}
