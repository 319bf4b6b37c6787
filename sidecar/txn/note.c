/* SPDX-License-Identifier: Apache-2.0 */
#include "txn/note.h"

#include <string.h>

#include "proto/grpc.h"
#include "proto/method.h"
#include "txn/call_kind.h"

const char note_unknown_rpc[] = "unknown";

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

const struct http2_note *note_find_http2(struct session_env *env, enum role role,
					 enum call_kind kind, const struct http2_head *head,
					 const struct endpoint *remote)
{
	struct http2_note *note = head->note;

	if (note->is_set)
		return note;
	*note = (struct http2_note){
		.known_method = txn_unknown,
		.route = txn_unknown,
		.rpc_method = note_unknown_rpc,
		.server_address = "",
		.active = &env->actives.cell[0], /* a guess */
		.is_set = true,
	};
	if (head->has_method || !head->unknown)
		note->known_method = method_known(head->method);
	if (role == ROLE_CLIENT)
		note->server_address = addresses_find(env->addresses, head->authority, remote);
	if (!head->has_path && head->unknown)
		return note;
	if (kind != CALL_GRPC)
		note->route = head->is_connect ? ROUTE_AUTHORITY
					       : routes_find(env->routes, role, head->path);
	if (kind == CALL_GRPC ||
	    (kind == CALL_UNSURE && call_kind_is_grpc_method(note->known_method)))
		note->rpc_method = rpc_methods_find(env->rpc_methods, role, head->path);
	/* Each request beyond the cap is to be counted there. */
	note->is_set =
		strcmp(note->route, ROUTE_OTHER) != 0 && !rpc_method_is_other(note->rpc_method);
	return note;
}
