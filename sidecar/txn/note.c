/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/note.h"

#include <string.h>

#include "proto/grpc.h"
#include "proto/method.h"

struct message_note *note_find(struct session_env *env, enum role role, const struct message *m,
			       struct message_note *own)
{
	struct message_note *note = m->note ? m->note : own;
	uint64_t owner = env->number << 1 | (role == ROLE_CLIENT);

	if (m->note && m->note->owner == owner)
		return note;
	note->known_method = method_known(m->method);
	note->route = routes_find(env->routes, role, m->target);
	note->is_head = span_is(m->method, "HEAD");
	note->is_connect = span_is(m->method, "CONNECT");
	note->is_grpc_web = grpc_is_web_content_type(m->content_type);
	note->is_probe = role == ROLE_SERVER && span_starts(m->user_agent, "kube-probe/");
	/* Each request beyond the cap of routes is to be counted there. */
	note->active = &env->actives.cell[0]; /* a guess */
	note->owner = strcmp(note->route, ROUTE_OTHER) != 0 ? owner : 0;
	return note;
}
